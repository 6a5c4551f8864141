import { placementShape } from '../../config/fields.js';
import type { TimeSpan } from '../../hardware/power.js';
import { statisticsOf } from '../../statistics.js';
import type { Measure, TrialResult, TrialSpec, Unit } from './results.js';

/** What a trial measured, without what its runner knows about it. */
export type Measurement = Pick<
  TrialResult,
  'measures' | 'details' | 'series' | 'experts' | 'expertSpans'
> & {
  /** The time of the counted runs or steps, and their tokens; null without any. */
  measured: (TimeSpan & { tokens: number }) | null;
};

/** Called with the progress of a trial: finished repetitions or steps, all of them, and what the last one measured. */
export type OnProgress = (done: number, of: number, sample?: object) => void;

/** What a trial needs to run. */
export interface TrialRequest {
  spec: TrialSpec;
  /** The GGUF file of the model with these weights. */
  modelPath: string;
  /** Measure the matmul speed of the CPU before and after. */
  measurePeak: boolean;
  /** Resident memory at which the process ends itself. */
  memoryLimitBytes: number;
}

/** What the process of a trial sends to its runner. The last message is 'result', 'error' or 'oom'. */
export type TrialMessage =
  | { type: 'progress'; done: number; of: number }
  | { type: 'result'; measurement: Measurement; noise: TrialResult['noise'] }
  | { type: 'error'; code: string; message: string }
  | { type: 'oom'; message: string };

/** A measure with its statistics; undefined without samples. */
export function measureOf(
  unit: Unit,
  samples: readonly (number | null | undefined)[],
  source: Measure['source'] = 'measured',
): Measure | undefined {
  const values = samples.filter((value) => typeof value === 'number' && Number.isFinite(value));
  return values.length === 0
    ? undefined
    : { unit, source, samples: values as number[], ...statisticsOf(values as number[]) };
}

/** The measures that have a value. */
export function present(measures: Record<string, Measure | undefined>): Record<string, Measure> {
  return Object.fromEntries(
    Object.entries(measures).filter((entry): entry is [string, Measure] => entry[1] !== undefined),
  );
}

const placementOptions = new Set(Object.keys(placementShape()));

/** Options of a call, split into those that place a model on devices and the others. */
export function splitPlacement(options: Record<string, unknown>) {
  const entries = Object.entries(options);
  const pick = (wanted: boolean) =>
    Object.fromEntries(entries.filter(([name]) => placementOptions.has(name) === wanted));
  return { placement: pick(true), others: pick(false) };
}
