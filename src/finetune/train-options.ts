import type { FinetuneConfig } from '../config/finetune.js';
import type { TrainOptions } from '../contract/training.js';
import type { PreparedDataset } from '../data/prepare.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { choosePrecision } from './precision.js';

/**
 * Converts a validated configuration to options of the engine, with the token files of the dataset. The learning rates are
 * empty and gradientCheckpointing 'auto' is false until the plan and the memory are known.
 *
 * @param dataset undefined to estimate memory only.
 */
export function trainOptions(
  config: FinetuneConfig,
  model: LoadedModel,
  dataset: PreparedDataset | undefined,
): TrainOptions {
  const file = dataset === undefined ? '' : dataset.validation?.file;
  return {
    ...config,
    trainFile: dataset?.train.file ?? '',
    validation:
      config.validation === undefined || file === undefined
        ? undefined
        : { file, everySteps: config.validation.everySteps },
    learningRates: new Float32Array(),
    precision: choosePrecision(config, model),
    gradientCheckpointing: config.gradientCheckpointing === true,
  };
}
