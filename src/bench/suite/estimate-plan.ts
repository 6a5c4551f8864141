import { existsSync, statSync } from 'node:fs';
import { type FinetuneInput, finetuneSchema } from '../../config/finetune.js';
import { parseConfig } from '../../config/parse.js';
import { estimateMemory } from '../../finetune/memory.js';
import { measurePeak } from '../peak.js';
import { INFERENCE_DEFAULTS } from './measure-inference.js';
import { modelCacheFolder, neededModel } from './models.js';
import { nestedOptions } from './options.js';
import type { PlannedTrial } from './plan.js';
import type { InferenceTrial, TrainingTrial } from './results.js';
import { bytesOf, isShape, parametersOf, shapeOf } from './shapes.js';

/** A planned trial with what it will probably need. */
export interface EstimatedTrial extends PlannedTrial {
  /** null for a device other than the CPU, and for a model whose size is unknown. */
  seconds: number | null;
  /** Memory of the process; null if it cannot be known before the model is made. */
  memoryBytes: number | null;
}

/** What a suite will probably need. */
export interface PlanEstimate {
  trials: EstimatedTrial[];
  /** Time of the trials whose time is known. */
  seconds: number;
  /** Models that will be made in the cache. */
  diskBytes: number;
}

/** Share of the peak of matrix products that a training usually reaches. */
const TRAINING_SHARE = 0.35;
/** Starting the process, loading the model, measuring the peak. */
const START_SECONDS = 3;
const PEAK_SECONDS = 8;

/** The model of a trial. */
interface Model {
  path: string;
  /** null for a weight type that is not known here. */
  bytes: number | null;
  /** Parameters that a token uses; for a file as many as bytes, which is right for 8-bit weights. */
  active: number | null;
  /** Bytes that a token reads. */
  activeBytes: number | null;
  exists: boolean;
}

/** Estimates time, memory and disk space of trials on this machine, from its speed now. Takes some seconds. */
export async function estimatePlan(
  planned: readonly PlannedTrial[],
  options: { modelCache?: string | undefined; measurePeak: boolean },
): Promise<PlanEstimate> {
  const cache = options.modelCache ?? modelCacheFolder();
  const { medianGflops } = await measurePeak({ precision: 'bf16' });
  const bandwidth = copySpeed();
  const trials: EstimatedTrial[] = [];
  const made = new Map<string, number>();
  for (const trial of planned) {
    const model = modelOf(trial, cache);
    if (!model.exists && trial.spec.kind !== 'peft') made.set(model.path, model.bytes ?? 0);
    const work = secondsOf(trial, model, { flops: medianGflops * 1e9, bandwidth });
    const seconds =
      work === null ? null : work + START_SECONDS + (options.measurePeak ? PEAK_SECONDS : 0);
    trials.push({ ...trial, seconds, memoryBytes: await memoryOf(trial, model) });
  }
  return {
    trials,
    seconds: trials.reduce((total, trial) => total + (trial.seconds ?? 0), 0),
    diskBytes: [...made.values()].reduce((total, bytes) => total + bytes, 0),
  };
}

function modelOf({ spec }: PlannedTrial, cache: string): Model {
  const { path } = neededModel(spec.model, spec.weightType, cache);
  const exists = existsSync(path);
  if (!isShape(spec.model)) {
    const bytes = exists ? statSync(path).size : null;
    return { path, exists, bytes, active: bytes, activeBytes: bytes };
  }
  const { total, active } = parametersOf(shapeOf(spec.model));
  const [bytes, activeBytes] = [total, active].map((count) => bytesOf(count, spec.weightType));
  return { path, exists, bytes: bytes ?? null, active, activeBytes: activeBytes ?? null };
}

/** The time of the work itself, from the operations of the matrix products or the bytes that each token reads. */
function secondsOf(
  { spec }: PlannedTrial,
  { active, activeBytes }: Model,
  machine: { flops: number; bandwidth: number },
): number | null {
  if ((spec.device !== 'cpu' && spec.device !== 'auto') || spec.kind === 'peft') return null;
  if (spec.kind === 'training') {
    return active === null ? null : trainingSeconds(spec, active, machine.flops);
  }
  return activeBytes === null ? null : inferenceSeconds(spec, activeBytes, machine.bandwidth);
}

function trainingSeconds(spec: TrainingTrial, parameters: number, flops: number): number {
  const { sequenceLength, batchSize } = trainingConfig(spec);
  const tokens = (spec.warmup + spec.steps) * sequenceLength * batchSize;
  // forward and the gradient of the inputs: two multiplications and additions per weight and token
  return (4 * parameters * tokens) / (TRAINING_SHARE * flops);
}

function inferenceSeconds(spec: InferenceTrial, bytes: number, bandwidth: number): number {
  const { maxTokens } = { ...INFERENCE_DEFAULTS, ...(spec.options as { maxTokens?: number }) };
  return ((spec.warmup + spec.runs) * maxTokens * bytes) / bandwidth;
}

const trainingConfig = (spec: TrainingTrial) =>
  parseConfig(finetuneSchema, {
    ...nestedOptions(spec.options),
    model: '-',
    dataset: [],
    output: '-',
  });

async function memoryOf({ spec }: PlannedTrial, model: Model): Promise<number | null> {
  if (spec.kind !== 'training' || !model.exists) return null;
  const options = nestedOptions({ device: spec.device, ...spec.options }) as FinetuneInput;
  const { totalBytes } = await estimateMemory({ ...options, model: model.path });
  return totalBytes;
}

/** Bytes per second of copies in memory, which bound the generation of text. */
function copySpeed(): number {
  const [from, to] = [Buffer.alloc(64e6, 1), Buffer.alloc(64e6)];
  const started = performance.now();
  let bytes = 0;
  while (performance.now() - started < 100) bytes += 2 * from.copy(to);
  return (1000 * bytes) / (performance.now() - started);
}
