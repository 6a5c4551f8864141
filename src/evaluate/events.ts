import type { SystemResults } from './results.js';
import type { EvaluationSample } from './samples.js';

/** An event of an evaluation. */
export type EvaluateEvent =
  /** What will be evaluated, after the dataset is read. */
  | { type: 'plan'; systems: string[]; rows: number; badRows: number }
  /** A system begins to answer, or its recorded outputs are read. */
  | { type: 'system'; system: string; index: number; of: number }
  /** A model has answered a row. The sample has no scores yet. */
  | {
      type: 'answer';
      sample: EvaluationSample;
      done: number;
      of: number;
      /** Until this system has answered all rows; null for the first answer. */
      etaMs: number | null;
    }
  /** A model computes how likely it finds the sequences of a task. */
  | {
      type: 'scoring';
      system: string;
      task: string;
      done: number;
      of: number;
      etaMs: number;
    }
  | { type: 'warning'; code: string; message: string }
  /** All answers of a system are scored. */
  | { type: 'scores'; results: SystemResults };
