import type { SampleEvent } from '../contract/benchmark.js';

/** One repetition has ended. */
export interface BenchEvent extends SampleEvent {
  tokensPerSecond: number;
}

export type BenchKind = BenchEvent['kind'];

/** One repetition, as it was measured. */
export type BenchSample = Pick<BenchEvent, 'tokens' | 'ms' | 'tokensPerSecond'>;

/** The repetitions that count, in order, and what they come to in tokens per second. */
export interface BenchSeries {
  kind: BenchKind;
  samples: BenchSample[];
  median: number;
  min: number;
  max: number;
}

export interface BenchResult {
  model: { path: string; description: string; parameters: number; bytes: number };
  system: { llamaCpp: string; devices: string[]; threads: number };
  /** null: not measured. */
  prompt: BenchSeries | null;
  generation: BenchSeries | null;
  training: BenchSeries | null;
}

/** Median of an even number of values: the mean of the two in the middle. */
export function summarize(kind: BenchKind, samples: BenchSample[]): BenchSeries | null {
  if (samples.length === 0) return null;
  const rates = samples.map((sample) => sample.tokensPerSecond).sort((a, b) => a - b);
  const middle = rates.length / 2;
  return {
    kind,
    samples,
    median: (rates[Math.ceil(middle) - 1]! + rates[Math.floor(middle)]!) / 2,
    min: rates[0]!,
    max: rates.at(-1)!,
  };
}
