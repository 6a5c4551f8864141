// Measures one row and prints it as JSON.
// node measure.mjs '{"model":"qwen3-0.6b","path":"….gguf","type":"Q8_0","sequence":512,"microBatch":4,…}'
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { finetuneLora, measurePeak } from '../../dist/index.js';
import { buildRow } from './row.mjs';
import { makeSamples } from './samples.mjs';
import { shapes, targetsOf } from './shapes.mjs';
import { printTrial } from './trial.mjs';

/** Environment variables that affect the measurement. */
const relevantVariables =
  /^((ONE)?DNN(L)?_|OMP_|GOMP_|KMP_|GGML_|LLAMATUNE_(?!PREBUILD$|PROFILE$|JOBS$|BACKENDS$|TEST))/;

export const measurementEnvironment = (environment) =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => relevantVariables.test(name)));

/** Random samples, as many in a step as fill a micro-batch. */
function madeData(spec, steps) {
  const padded = spec.layout === 'padded';
  // ragged samples have about 0.4 times the tokens of a row
  const batchSize = spec.microBatch * (spec.ragged && !padded ? 2 : 1);
  const { vocabularySize } = shapes[spec.model];
  return {
    dataset: makeSamples({ ...spec, vocabularySize, count: steps * batchSize }),
    lora: { rank: spec.rank, targets: targetsOf(shapes[spec.model], spec.targets) },
    batchSize,
    ...(padded
      ? { microBatchSize: spec.microBatch }
      : { microBatchTokens: spec.microBatch * spec.sequence }),
    shuffle: false,
    loss: 'all',
  };
}

/** A user's data with the defaults of finetune(). */
const realData = (spec) => ({
  dataset: spec.data,
  lora: { rank: spec.rank },
  batchSize: spec.batchSize,
  ...(spec.layout === 'padded' ? { microBatchSize: spec.microBatch } : {}),
  epochs: 1000, // maxSteps ends the run
});

/** The value of an option that is 'auto', on or off. */
const switchOf = (value) => (value === 'auto' ? 'auto' : value === 'on');

/** Trains as the row says. Resolves to its step events and what was measured of the run. */
export async function train(spec) {
  const folder = mkdtempSync(path.join(tmpdir(), 'llamatune-bench-'));
  try {
    const total = spec.warmup + spec.steps;
    const data = spec.data === undefined ? madeData(spec, total) : realData(spec);
    const started = performance.now();
    const run = finetuneLora({
      model: spec.path,
      ...data,
      output: path.join(folder, 'adapter.gguf'),
      maxSteps: total,
      sequenceLength: spec.sequence,
      precision: spec.precision,
      threads: spec.threads,
      seed: spec.seed,
      gradientCheckpointing: switchOf(spec.gradientCheckpointing),
      weightCache: switchOf(spec.weightCache),
    });
    const steps = [];
    let startToFirstStepMs = null;
    for await (const event of run) {
      if (event.type !== 'step') continue;
      startToFirstStepMs ??= performance.now() - started - event.stepMs;
      steps.push(event);
    }
    const { estimatedMemoryBytes, peakMemoryBytes, gradientCheckpointing, weightCache } =
      await run.result;
    return {
      steps,
      startToFirstStepMs,
      estimatedMemoryBytes,
      peakMemoryBytes,
      gradientCheckpointing,
      weightCache,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Measures one row, with the peak speed before and after the training in the same process. */
export async function measure(spec) {
  const { precision, threads } = spec;
  // The load of the last minute, which Windows does not report.
  const loadBefore = process.platform === 'win32' ? null : loadavg()[0];
  const peaks = [await measurePeak({ precision, threads })];
  const run = await train(spec);
  peaks.push(await measurePeak({ precision, threads }));
  return buildRow(spec, {
    ...run,
    peaks,
    loadBefore,
    environment: measurementEnvironment(process.env),
  });
}

if (process.argv[1] === import.meta.filename) await printTrial(measure);
