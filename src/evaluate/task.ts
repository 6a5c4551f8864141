import type { ModelHandle, PlacementConfig } from '../config/fields.js';
import type { SequenceScore } from '../contract/scoring.js';
import type { LabelPair } from './classification.js';
import type { EvaluationRow, TargetRow } from './rows.js';

/** The answer of a system to a row. */
export interface Answer {
  row: EvaluationRow;
  system: string;
  /** Without its reasoning. */
  text: string;
}

/** The score that a task gives to one answer. */
export interface TaskScore {
  /** The number that samples show. */
  value: number;
  /** Of a classification. */
  pair?: LabelPair;
  /** Of a perplexity: natural logarithm of the probability of all targets, and how many of them are the most likely token. */
  targets?: { logProbability: number; count: number; correct: number };
  /** Of multiple choice: 1 if the right choice has the highest probability per token, and per byte. */
  normalized?: { perToken: number; perByte: number };
}

/** A number that a task reports for a system, computed from the scores of its answers. */
export interface Measure {
  /** Unique in an evaluation, e.g. 'classification.macroF1'. */
  name: string;
  title: string;
  /** Whether it is a fraction, shown in percent. */
  isPercent: boolean;
  higherIsBetter: boolean;
  /** The terms that a score adds to the sums over rows; their number is the same for all scores. */
  terms(score: TaskScore): readonly number[];
  /** The number, from the sums over rows. */
  ofSums(sums: ArrayLike<number>): number;
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
  /** Called once with all answers of all systems, before any of them is scored. */
  prepare?(answers: readonly Answer[], controls: PrepareControls): Promise<void>;
  /**
   * Scores an answer. A task has either this or `likelihood`.
   *
   * @throws LlamatuneError of a function of the user
   */
  score?(answer: Answer, signal: AbortSignal): TaskScore | Promise<TaskScore>;
  likelihood?: LikelihoodTask;
}

export interface PrepareControls {
  /** The model of the first system that has one. */
  model: string | ModelHandle | undefined;
  /** Options of every call that loads a model. */
  options: PlacementConfig & { threads: number };
  signal: AbortSignal;
  warn: (code: string, message: string) => void;
}

/** Scores a row by how likely a model finds continuations of its prompt. It needs no answers. */
export interface LikelihoodTask {
  /** What the model scores for a row. */
  sequencesOf(row: EvaluationRow): TargetRow[];
  /** @param ends tokens that end an answer */
  score(
    row: EvaluationRow,
    sequences: readonly SequenceScore[],
    ends: ReadonlySet<number>,
  ): TaskScore;
}

/** The measure that is the mean of a number of each score. */
export const meanOf = (
  numberOf: (score: TaskScore) => number = ({ value }) => value,
): Pick<Measure, 'terms' | 'ofSums'> => ratioOf(numberOf, () => 1);

/** The measure that is the sum of one number of each score, divided by the sum of another one. */
export const ratioOf = (
  numerator: (score: TaskScore) => number,
  denominator: (score: TaskScore) => number,
): Pick<Measure, 'terms' | 'ofSums'> => ({
  terms: (score) => [numerator(score), denominator(score)],
  ofSums: ({ 0: above, 1: below }) => above! / below!,
});
