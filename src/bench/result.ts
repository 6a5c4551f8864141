import type { SampleEvent } from '../contract/benchmark.js';

/** The event of one finished repetition. */
export interface BenchEvent extends SampleEvent {
  tokensPerSecond: number;
}

/** What a benchmark measures: 'prompt' (prompt processing), 'generation' or 'training'. */
export type BenchKind = BenchEvent['kind'];

/** The measurement of one repetition. */
export type BenchSample = Pick<BenchEvent, 'tokens' | 'ms' | 'tokensPerSecond'>;

/** The repetitions after the warm-up, in order, and their statistics in tokens per second. */
export interface BenchSeries {
  kind: BenchKind;
  samples: BenchSample[];
  median: number;
  min: number;
  max: number;
}

/** The result of bench(): rates in tokens per second, sizes in bytes. */
export interface BenchResult {
  model: { path: string; description: string; parameters: number; bytes: number };
  system: { llamaCpp: string; devices: string[]; threads: number };
  /** null if not measured. */
  prompt: BenchSeries | null;
  /** null if not measured. */
  generation: BenchSeries | null;
  /** null if not measured. */
  training: BenchSeries | null;
}

/** Computes median, min and max. The median of an even number of values is the mean of the middle two. */
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
