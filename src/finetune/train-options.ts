import type { FinetuneConfig } from '../config/finetune.js';
import type { TrainOptions } from '../contract/training.js';
import type { PreparedDataset } from '../data/prepare.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { choosePrecision } from './precision.js';

/**
 * A checked configuration as the engine takes it, with the dataset's token files. The learning rates are still to come,
 * and gradientCheckpointing 'auto' counts as false, until the plan and the memory are known.
 *
 * @param dataset undefined: only to estimate memory.
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
