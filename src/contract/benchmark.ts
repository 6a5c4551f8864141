import type { BenchConfig } from '../config/bench.js';
import type { PeakConfig } from '../config/peak.js';
import type { TrainOptions } from './training.js';

export interface BenchOptions
  extends Pick<
    BenchConfig,
    'promptTokens' | 'generatedTokens' | 'warmup' | 'repetitions' | 'threads'
  > {
  /** Optimizer steps per repetition (0 = do not measure training). */
  trainSteps: number;
  /** A run of trainSteps * (warmup + repetitions) steps; null: do not measure training. */
  training: TrainOptions | null;
}

/** One repetition. */
export interface SampleEvent {
  type: 'sample';
  /** What is measured: prompt processing, generation, or training. */
  kind: 'prompt' | 'generation' | 'training';
  /** 1-based, counted separately for warm-up and measurement. */
  repetition: number;
  /** Warm-up repetitions do not count. */
  warmup: boolean;
  tokens: number;
  ms: number;
}

export type PeakOptions = Omit<PeakConfig, 'signal'>;

/** Speed of one shape of matrix product: `tokens` rows of activations times a weight [columns, rows]. */
export interface ProductSpeed {
  tokens: number;
  columns: number;
  rows: number;
  repetitions: number;
  bestGflops: number;
  medianGflops: number;
}

/** How fast a machine multiplies matrices, in GFLOP/s; medians are over repetitions of the same product. */
export interface Peak {
  /** The library that multiplied, e.g. 'oneDNN 2.6.3' or 'ggml'. */
  library: string;
  /** The precision that was used: 'f32' also where 'bf16' was asked for but the CPU has no units for it. */
  precision: 'f32' | 'bf16';
  threads: number;
  /** Of the fastest shape. */
  bestGflops: number;
  /** Of the fastest shape. */
  medianGflops: number;
  shapes: ProductSpeed[];
}
