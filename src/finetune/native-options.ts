import { resolve } from 'node:path';
import type { FinetuneConfig } from '../config/finetune.js';
import type { LoadedModel } from '../model/loaded-model.js';
import type { NativeTrainOptions } from '../native/addon-types.js';
import { choosePrecision } from './precision.js';

/** What only the preparation knows: the token files and the learning rate of every step. */
export interface PreparedFiles {
  trainFile: string;
  validationFile: string;
  learningRates: Float32Array;
}

/** The engine's view of a checked configuration; recompute 'auto' counts as 'off' until checkMemory() has chosen. */
export function nativeTrainOptions(
  config: FinetuneConfig,
  prepared: PreparedFiles,
  model: LoadedModel,
): NativeTrainOptions {
  const { lora, optimizer, checkpoint } = config;
  return {
    mode: config.mode,
    lora: {
      rank: lora.rank,
      alpha: lora.alpha,
      rsLora: lora.rsLora,
      plusRatio: lora.plusRatio,
      targets: lora.targets,
      initAdapter: lora.initAdapter === undefined ? '' : resolve(lora.initAdapter),
    },
    ...prepared,
    output: resolve(config.output),
    sequenceLength: config.sequenceLength,
    batchSize: config.batchSize,
    microBatchSize: config.microBatchSize,
    packing: config.packing,
    shuffle: config.shuffle,
    epochs: config.epochs,
    seed: config.seed,
    beta1: optimizer.beta1,
    beta2: optimizer.beta2,
    epsilon: optimizer.epsilon,
    weightDecay: optimizer.weightDecay,
    maxGradientNorm: optimizer.maxGradientNorm,
    evaluateEvery: config.validation?.everySteps ?? 0,
    checkpointDirectory: checkpoint === undefined ? '' : resolve(checkpoint.directory),
    checkpointEvery: checkpoint?.everySteps ?? 0,
    resume: checkpoint?.resume ?? false,
    precision: choosePrecision(config, model),
    recompute: config.recompute === 'on',
    threads: config.threads,
  };
}
