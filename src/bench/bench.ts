import { join } from 'node:path';
import { type BenchConfig, type BenchOptions, benchSchema } from '../config/bench.js';
import { finetuneSchema } from '../config/finetune.js';
import { parseConfig } from '../config/parse.js';
import type { BenchOptions as NativeBenchOptions } from '../contract/benchmark.js';
import { nativeRun } from '../contract/load.js';
import { Run } from '../contract/run.js';
import { prepareDataset } from '../data/prepare.js';
import { withTemporaryFolder } from '../files/temporary-folder.js';
import { checkMemory } from '../finetune/memory.js';
import { trainOptions } from '../finetune/train-options.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { systemInfo } from '../model/system-info.js';
import { useModel } from '../model/use-model.js';
import { type BenchEvent, type BenchKind, type BenchResult, summarize } from './result.js';
import { type RunSuiteOptions, runSuite, type SuiteRun } from './suite/run-suite.js';

/** A running benchmark: an async iterable of samples, with the result as a promise. */
export type BenchRun = Run<BenchEvent, BenchResult>;

interface Controls {
  emit: (event: BenchEvent) => void;
  signal: AbortSignal;
}

/**
 * Measures prompt processing, generation and LoRA training of a model on a separate thread, after a warm-up. Returns
 * immediately: iterate the run to stream the samples, or await `.result` for all samples with median, min and max.
 *
 * A model given as a path is loaded twice: with repacked weights for inference, as in `generate`, and without repacking
 * for training. A loaded model is measured as it is.
 *
 * The run's errors: CONFIG_INVALID, ABORTED, and the errors of loadModel() and finetune().
 *
 * With `suite`, runs a benchmark suite instead, like runSuite().
 */
export function bench(options: BenchOptions): BenchRun;
export function bench(options: RunSuiteOptions): SuiteRun;
export function bench(options: BenchOptions | RunSuiteOptions): BenchRun | SuiteRun {
  const isSuite = typeof options === 'object' && options !== null && 'suite' in options;
  return isSuite ? runSuite(options) : benchModel(options);
}

function benchModel(options: BenchOptions): BenchRun {
  return new Run(
    async (controls) => {
      const config = parseConfig(benchSchema, options, 'bench options');
      const { signal } = controls;
      const load = { ...config, signal };
      const samples: BenchEvent[] = [];
      let modelSummary: BenchResult['model'] | undefined;

      if (config.promptTokens > 0 || config.generatedTokens > 0) {
        await useModel(config.model, { ...load, purpose: 'generate' }, async (model) => {
          modelSummary = describe(model);
          samples.push(
            ...(await measure(model, { ...config, trainSteps: 0, training: null }, controls)),
          );
        });
      }
      if (config.training.steps > 0) {
        await useModel(config.model, { ...load, purpose: 'train' }, async (model) => {
          modelSummary ??= describe(model);
          samples.push(...(await measureTraining(model, config, controls)));
        });
      }
      return result(modelSummary!, config, samples);
    },
    { signal: options?.signal },
  );
}

async function measure(
  model: LoadedModel,
  options: NativeBenchOptions,
  { emit, signal }: Controls,
): Promise<BenchEvent[]> {
  const samples: BenchEvent[] = [];
  await nativeRun(signal, (addon) =>
    addon.bench(model.native, options, (events) => {
      for (const event of events) {
        const sample = { ...event, tokensPerSecond: (event.tokens * 1000) / event.ms };
        samples.push(sample);
        emit(sample);
      }
    }),
  );
  return samples;
}

/** Trains on full rows of arbitrary tokens: the speed does not depend on the text. */
async function measureTraining(
  model: LoadedModel,
  config: BenchConfig,
  controls: Controls,
): Promise<BenchEvent[]> {
  const { steps, sequenceLength, microBatchSize, precision, gradientCheckpointing, lora } =
    config.training;
  const totalSteps = steps * (config.warmup + config.repetitions);
  return withTemporaryFolder(async (directory) => {
    const vocabulary = model.info.vocabularySize;
    const row = (i: number) => ({
      tokens: Int32Array.from(
        { length: sequenceLength },
        (_, j) => (i * 7919 + j * 104729) % vocabulary,
      ),
    });
    const training = parseConfig(finetuneSchema, {
      model: config.model,
      dataset: Array.from({ length: totalSteps * microBatchSize }, (_, i) => row(i)),
      output: join(directory, 'adapter.gguf'),
      lora,
      sequenceLength,
      batchSize: microBatchSize,
      microBatchSize,
      loss: 'all',
      precision,
      gradientCheckpointing,
      threads: config.threads,
    });
    const dataset = await prepareDataset({
      ...training,
      model: model.textModel,
      directory,
      signal: controls.signal,
    });
    const learningRates = new Float32Array(totalSteps).fill(training.optimizer.learningRate);
    const options = { ...trainOptions(training, model, dataset), learningRates };
    const { gradientCheckpointing: chosen, weightCache } = await checkMemory(
      model,
      training,
      options,
      {
        longestSample: sequenceLength,
        largestStep: sequenceLength * microBatchSize,
        largestMicroBatch: sequenceLength * microBatchSize,
      },
    );
    const measured = { ...config, promptTokens: 0, generatedTokens: 0, trainSteps: steps };
    return measure(
      model,
      { ...measured, training: { ...options, gradientCheckpointing: chosen, weightCache } },
      controls,
    );
  });
}

function describe(model: LoadedModel): BenchResult['model'] {
  const { description, parameters, bytes } = model.info;
  return { path: model.path, description, parameters, bytes };
}

function result(
  modelSummary: BenchResult['model'],
  config: BenchConfig,
  samples: BenchEvent[],
): BenchResult {
  const { llamaCpp, devices, physicalCores } = systemInfo();
  const series = (kind: BenchKind) =>
    summarize(
      kind,
      samples
        .filter((sample) => sample.kind === kind && !sample.warmup)
        .map(({ tokens, ms, tokensPerSecond }) => ({ tokens, ms, tokensPerSecond })),
    );
  return {
    model: modelSummary,
    system: {
      llamaCpp,
      devices: devices.map((device) => device.description || device.name),
      threads: config.threads || physicalCores,
    },
    prompt: series('prompt'),
    generation: series('generation'),
    training: series('training'),
  };
}
