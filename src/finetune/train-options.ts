import { type FinetuneConfig, resumableOptions } from '../config/finetune.js';
import type { TrainOptions } from '../contract/training.js';
import type { PreparedDataset } from '../data/prepare.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { batchLayout } from './layout.js';
import { choosePrecision } from './precision.js';
import { runFacts } from './run-facts.js';

/**
 * Converts a validated configuration to options of the engine, with the token files of the dataset. Until the plan and the
 * memory are known, the learning rates are empty, gradientCheckpointing and weightCache 'auto' are false and
 * microBatchTokens 'auto' is enough for any sample.
 *
 * @param dataset undefined to estimate memory only.
 */
export function trainOptions(
  config: FinetuneConfig,
  model: LoadedModel,
  dataset: PreparedDataset | undefined,
): TrainOptions {
  const { microBatchTokens = 'auto' } = config;
  return {
    ...config,
    trainFile: dataset?.train.file ?? '',
    validation: validationOptions(config, dataset),
    checkpoint: checkpointOptions(config),
    learningRates: new Float32Array(),
    adaptive: config.adaptive !== undefined,
    layout: batchLayout(config, model),
    microBatchTokens: microBatchTokens === 'auto' ? config.sequenceLength : microBatchTokens,
    microBatchSize: config.microBatchSize ?? 1,
    precision: choosePrecision(config, model),
    gradientCheckpointing: config.gradientCheckpointing === true,
    weightCache: config.weightCache === true,
  };
}

function validationOptions(
  { validation }: FinetuneConfig,
  dataset: PreparedDataset | undefined,
): TrainOptions['validation'] {
  const file = dataset === undefined ? '' : dataset.validation?.file;
  if (validation === undefined || file === undefined) return undefined;
  const { everySteps, patience = 0, keepBest } = validation;
  return { file, everySteps, patience, keepBest };
}

function checkpointOptions(config: FinetuneConfig): TrainOptions['checkpoint'] {
  if (config.checkpoint === undefined) return undefined;
  const { everyMinutes = 0, keepLast, resume, ...rest } = config.checkpoint;
  return {
    ...rest,
    everyMinutes,
    keepLast: keepLast === 'all' ? 0 : keepLast,
    resume: resume && { ...resume, allowable: resumableOptions() },
    facts: runFacts(config),
  };
}
