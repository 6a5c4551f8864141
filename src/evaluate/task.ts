import type { LabelPair } from './classification.js';
import type { EvaluationRow } from './rows.js';

/** The answer of a system to a row. */
export interface Answer {
  row: EvaluationRow;
  system: string;
  /** Without its reasoning. */
  text: string;
}

/** What a task found in one answer. */
export interface TaskScore {
  /** The number that samples show. */
  value: number;
  /** Of a classification. */
  pair?: LabelPair;
}

/** A number that a task reports for a system, computed from the scores of its answers. */
export interface Measure {
  /** Unique in an evaluation, e.g. 'classification.macroF1'. */
  name: string;
  title: string;
  /** Whether it is a fraction, shown in percent. */
  isPercent: boolean;
  higherIsBetter: boolean;
  statistic(scores: readonly TaskScore[]): number;
}

/** A way to score answers. */
export interface Task {
  readonly name: string;
  readonly type: string;
  readonly measures: readonly Measure[];
  /** The labels of a classification. */
  readonly labels?: readonly string[];
  /** @throws LlamatuneError DATASET_INVALID_ROW if the task cannot use the row */
  check(row: EvaluationRow): void;
  /** @throws LlamatuneError of a function of the user */
  score(answer: Answer, signal: AbortSignal): TaskScore | Promise<TaskScore>;
}

/** The mean of the values of the scores. */
export const meanValue = (scores: readonly TaskScore[]): number =>
  scores.reduce((sum, { value }) => sum + value, 0) / scores.length;
