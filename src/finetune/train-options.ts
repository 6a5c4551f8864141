import type { FinetuneConfig } from '../config/finetune.js';
import type { TrainOptions } from '../contract/training.js';
import type { PreparedDataset } from '../data/prepare.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { batchLayout } from './layout.js';
import { choosePrecision } from './precision.js';

/**
 * Converts a validated configuration to options of the engine, with the token files of the dataset. Until the plan and the
 * memory are known, the learning rates are empty, gradientCheckpointing 'auto' is false and microBatchTokens 'auto' is
 * enough for any sample.
 *
 * @param dataset undefined to estimate memory only.
 */
export function trainOptions(
  config: FinetuneConfig,
  model: LoadedModel,
  dataset: PreparedDataset | undefined,
): TrainOptions {
  const file = dataset === undefined ? '' : dataset.validation?.file;
  const { microBatchTokens = 'auto' } = config;
  return {
    ...config,
    trainFile: dataset?.train.file ?? '',
    validation:
      config.validation === undefined || file === undefined
        ? undefined
        : { file, everySteps: config.validation.everySteps },
    learningRates: new Float32Array(),
    layout: batchLayout(config, model),
    microBatchTokens: microBatchTokens === 'auto' ? config.sequenceLength : microBatchTokens,
    microBatchSize: config.microBatchSize ?? 1,
    precision: choosePrecision(config, model),
    gradientCheckpointing: config.gradientCheckpointing === true,
  };
}
