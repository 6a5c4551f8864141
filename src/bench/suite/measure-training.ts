import { join } from 'node:path';
import { mean } from 'simple-statistics';
import { finetuneSchema } from '../../config/finetune.js';
import { parseConfig } from '../../config/parse.js';
import type { StepEvent } from '../../contract/training.js';
import { ExpertHistory, type ExpertSpan } from '../../expert-history.js';
import { withTemporaryFolder } from '../../files/temporary-folder.js';
import type { FinetuneResult } from '../../finetune/events.js';
import { type FinetuneOptions, finetune } from '../../finetune/finetune.js';
import { now } from '../../hardware/reading.js';
import { loadModel } from '../../model/loaded-model.js';
import { seededRandom } from '../../random.js';
import { bootstrapInterval, statisticsOf } from '../../statistics.js';
import { nestedOptions } from './options.js';
import type { Measure, TrainingTrial } from './results.js';
import { type Measurement, measureOf, type OnProgress, present } from './trial.js';

/** Measures the steps of a training, as a user's finetune() would run it. */
export async function measureTraining(
  spec: TrainingTrial,
  modelPath: string,
  onProgress: OnProgress,
): Promise<Measurement> {
  return withTemporaryFolder(async (folder) => {
    const planned = spec.warmup + spec.steps;
    const options = {
      ...optionsOf(spec, modelPath),
      output: join(folder, 'output.gguf'),
      maxSteps: planned,
      modelCard: false,
      runLog: false,
    } as FinetuneOptions;
    const started = performance.now();
    const run = finetune(options);
    const steps: StepEvent[] = [];
    const ends: number[] = [];
    let toFirstStepMs: number | undefined;
    for await (const event of run) {
      if (event.type !== 'step') continue;
      toFirstStepMs ??= performance.now() - started - event.stepMs;
      steps.push(event);
      ends.push(now());
      onProgress(steps.length, planned, event);
    }
    const result = await run.result;
    const { batchSize } = parseConfig(finetuneSchema, options);
    const measurement = measurementOf(spec, steps, result, { toFirstStepMs, batchSize });
    return {
      ...measurement,
      measured: measuredPart(steps, ends, spec.warmup),
      details: { ...measurement.details, ...(await modelDetails(modelPath)) },
    };
  });
}

/** What the report says about the model. Read after the training, whose memory it must not change. */
async function modelDetails(modelPath: string) {
  await using model = await loadModel({ model: modelPath, device: 'cpu' });
  const { parameters, bytes, description } = model.info;
  return { parameters, modelBytes: bytes, model: description };
}

/** The options of finetune(): what the trial gives, and random rows without a dataset. */
function optionsOf(spec: TrainingTrial, modelPath: string): Record<string, unknown> {
  const given = nestedOptions({ device: spec.device, ...spec.options });
  const fixed = {
    model: modelPath,
    ...(spec.validation === null ? {} : { validation: { dataset: spec.validation } }),
  };
  if (spec.dataset !== null) return { ...given, ...fixed, dataset: spec.dataset };
  const { sequenceLength = 512, batchSize = 8 } = given as FinetuneOptions;
  const dataset = randomRows(sequenceLength, batchSize);
  return { loss: 'all', ...given, ...fixed, sequenceLength, batchSize, dataset };
}

/** Token ids that every vocabulary has. */
const FEWEST_TOKENS = 256;

/** Rows of exactly `sequenceLength` random tokens: the speed does not depend on which ones. */
function randomRows(sequenceLength: number, count: number): { tokens: Int32Array }[] {
  const random = seededRandom(1);
  const token = () => Math.floor(random() * FEWEST_TOKENS);
  return Array.from({ length: count }, () => ({
    tokens: Int32Array.from({ length: sequenceLength }, token),
  }));
}

/** From the end of the warm-up to the end of the last step; null without a measured step. */
function measuredPart(
  steps: readonly StepEvent[],
  ends: readonly number[],
  warmup: number,
): Measurement['measured'] {
  const measured = steps.slice(warmup);
  if (measured.length === 0) return null;
  return {
    from: warmup === 0 ? ends[0]! - steps[0]!.stepMs : ends[warmup - 1]!,
    to: ends.at(-1)!,
    tokens: measured.reduce((total, step) => total + step.tokens, 0),
  };
}

function measurementOf(
  spec: TrainingTrial,
  steps: readonly StepEvent[],
  result: FinetuneResult,
  { toFirstStepMs, batchSize }: { toFirstStepMs: number | undefined; batchSize: number },
): Omit<Measurement, 'measured'> {
  const measured = steps.slice(spec.warmup);
  const seconds = measured.map(({ stepMs }) => stepMs / 1000);
  const stepsPerEpoch = Math.ceil(result.samples / batchSize);
  const wholeEpoch = spec.dataset === null ? undefined : extrapolated(seconds, stepsPerEpoch);
  const memory = measured.map(({ memoryBytes }) => memoryBytes);
  return {
    measures: present({
      tokensPerSecond: measureOf(
        'tokens/s',
        measured.map((s) => (s.tokens * 1000) / s.stepMs),
      ),
      samplesPerSecond: measureOf(
        'samples/s',
        measured.map((s) => s.samplesPerSecond),
      ),
      stepTime: measureOf('s', seconds),
      epochTime: wholeEpoch,
      trainingTime:
        spec.dataset === null ? undefined : extrapolated(seconds, stepsPerEpoch * spec.epochs),
      runTime: measureOf('s', [seconds.reduce((total, each) => total + each, 0)]),
      startToFirstStep: measureOf('s', [(toFirstStepMs ?? Number.NaN) / 1000]),
      peakMemory: measureOf('bytes', [result.peakMemoryBytes]),
      averageMemory: measureOf('bytes', [meanOf(memory)]),
      finalLoss: measureOf('nats', [result.finalLoss]),
      evaluationLoss: measureOf('nats', [result.finalValidationLoss]),
      stepsCompleted: measureOf('steps', [steps.length]),
    }),
    details: {
      stepsPlanned: spec.warmup + spec.steps,
      samples: result.samples,
      batchSize,
      microBatchTokens: result.microBatchTokens,
      gradientCheckpointing: result.gradientCheckpointing,
      weightCache: result.weightCache,
      precision: result.precision,
      mode: result.mode,
      trainableParameters: result.trainableParameters,
      estimatedMemoryBytes: result.estimatedMemoryBytes,
      rank: result.adapter?.rank ?? null,
      alpha: result.adapter?.alpha ?? null,
      warnings: result.warnings.map(({ code }) => code),
    },
    experts: result.experts,
    expertSpans: expertSpansOf(steps),
    series: {
      loss: steps.map(({ loss }) => loss),
      learningRate: steps.map(({ learningRate }) => learningRate),
      gradientNorm: steps.map(({ gradientNorm }) => gradientNorm),
      stepSeconds: steps.map(({ stepMs }) => stepMs / 1000),
      tokens: steps.map(({ tokens }) => tokens),
      memoryBytes: steps.map(({ memoryBytes }) => memoryBytes),
    },
  };
}

function expertSpansOf(steps: readonly StepEvent[]): ExpertSpan[] {
  const history = new ExpertHistory();
  for (const { step, experts } of steps) history.add(step, experts);
  return history.spans();
}

/** The time of `count` steps, from measured ones: their mean, with its bootstrap interval. */
function extrapolated(seconds: readonly number[], count: number): Measure | undefined {
  if (seconds.length === 0) return undefined;
  const samples = seconds.map((each) => each * count);
  const interval = samples.length < 3 ? null : bootstrapInterval(samples, mean);
  return { unit: 's', source: 'extrapolated', samples, ...statisticsOf(samples), interval };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : mean(known);
}
