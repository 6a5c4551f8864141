import type { BenchConfig } from '../config/bench.js';
import type { PeakConfig } from '../config/peak.js';
import type { TrainOptions } from './training.js';

/** Options of the native benchmark. */
export interface BenchOptions
  extends Pick<
    BenchConfig,
    'promptTokens' | 'generatedTokens' | 'warmup' | 'repetitions' | 'threads' | 'flashAttention'
  > {
  /** Optimizer steps per repetition (0 = do not measure training). */
  trainSteps: number;
  /** A run of trainSteps * (warmup + repetitions) steps, or null not to measure training. */
  training: TrainOptions | null;
}

/** The event of one repetition. */
export interface SampleEvent {
  type: 'sample';
  /** What is measured: prompt processing, generation, or training. */
  kind: 'prompt' | 'generation' | 'training';
  /** Counts from 1, separately for warm-up and measurement. */
  repetition: number;
  /** Warm-up repetitions do not count. */
  warmup: boolean;
  tokens: number;
  ms: number;
}

export type PeakOptions = Omit<PeakConfig, 'signal'>;

/** Matmul speed of one shape: activations [columns, tokens] times a weight [columns, rows]. */
export interface ProductSpeed {
  tokens: number;
  columns: number;
  rows: number;
  repetitions: number;
  bestGflops: number;
  medianGflops: number;
}

/** Peak matmul speed of a machine in GFLOP/s. Medians are over repetitions of the same shape. */
export interface Peak {
  /** The matmul library, e.g. 'oneDNN 3.2.0' or 'ggml'. */
  library: string;
  /** The precision that was used: 'f32' if 'bf16' was requested but the CPU has no bfloat16 units. */
  precision: 'f32' | 'bf16';
  threads: number;
  /** Best repetition of the fastest shape. */
  bestGflops: number;
  /** Median over the repetitions of the fastest shape. */
  medianGflops: number;
  shapes: ProductSpeed[];
}
