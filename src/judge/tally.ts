import { bootstrapInterval, FEWEST, pairedTest } from '../statistics.js';
import type { JudgeTally } from './results.js';
import type { JudgeChoice } from './verdict.js';

/** The verdicts of a pair in both orders; null is invalid. */
export interface PairVerdicts {
  /** The left answer was shown first. */
  leftFirst: JudgeChoice | null;
  /** The right answer was shown first. */
  rightFirst: JudgeChoice | null;
}

/** A pair whose answers are identical has no verdicts. */
export interface JudgedPair {
  index: number;
  verdicts: PairVerdicts | null;
}

export type Winner = 'left' | 'right' | 'tie';

/** Which answer a verdict names. */
export function winnerOf(choice: JudgeChoice, swapped: boolean): Winner {
  if (choice === 'tie') return 'tie';
  return (choice === 'A') !== swapped ? 'left' : 'right';
}

/**
 * The outcome of a pair: an answer wins if both orders name it, otherwise it is a tie (Zheng et al. 2023, arXiv 2306.05685,
 * section 3.4); null if a verdict is invalid.
 */
export function outcomeOf({ verdicts }: JudgedPair): Winner | null {
  if (verdicts === null) return 'tie';
  const { leftFirst, rightFirst } = verdicts;
  if (leftFirst === null || rightFirst === null) return null;
  const first = winnerOf(leftFirst, false);
  return first === winnerOf(rightFirst, true) ? first : 'tie';
}

/** Sums of a row, of which there may be several samples. */
interface RowScore {
  /** 1 for each win and 0.5 for each tie. */
  score: number;
  decided: number;
}

const SCORES: Readonly<Record<Winner, number>> = { left: 1, tie: 0.5, right: 0 };

const winRate = (rows: readonly RowScore[]): number =>
  rows.reduce((sum, { score }) => sum + score, 0) /
  rows.reduce((sum, { decided }) => sum + decided, 0);

/** The scores of rows with a decided pair. With `invalidAsLoss`, pairs with an invalid verdict are lost. */
function rowScores(pairs: readonly JudgedPair[], invalidAsLoss: boolean): RowScore[] {
  const rows = new Map<number, RowScore>();
  for (const pair of pairs) {
    const outcome = outcomeOf(pair) ?? (invalidAsLoss ? 'right' : null);
    if (outcome === null) continue;
    const row = rows.get(pair.index) ?? { score: 0, decided: 0 };
    rows.set(pair.index, row);
    row.score += SCORES[outcome];
    row.decided += 1;
  }
  return [...rows.values()];
}

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

/** Counts the verdicts of a comparison and computes its statistics. */
export function tallyOf(
  pairs: readonly JudgedPair[],
  { seed, invalidAsLoss = false }: { seed: number; invalidAsLoss?: boolean },
): JudgeTally {
  const outcomes = pairs.map(outcomeOf);
  const having = (outcome: Winner | null) => outcomes.filter((each) => each === outcome).length;
  const asked = pairs.flatMap(({ verdicts }) => (verdicts === null ? [] : [verdicts]));
  const choices = asked.flatMap(({ leftFirst, rightFirst }) => [leftFirst, rightFirst]);
  const chosen = (choice: JudgeChoice | null) => choices.filter((each) => each === choice).length;
  const valid = asked.filter(
    ({ leftFirst, rightFirst }) => leftFirst !== null && rightFirst !== null,
  );
  const agreeing = valid.filter(
    ({ leftFirst, rightFirst }) => winnerOf(leftFirst!, false) === winnerOf(rightFirst!, true),
  );
  const rows = rowScores(pairs, invalidAsLoss);
  const others = rows.map(({ score, decided }) => ({ score: decided - score, decided }));
  return {
    pairs: pairs.length,
    wins: having('left'),
    losses: having('right'),
    ties: having('tie'),
    identical: pairs.length - asked.length,
    undecided: having(null),
    winRate: rows.length === 0 ? null : winRate(rows),
    interval: rows.length < FEWEST ? null : [...bootstrapInterval(rows, winRate, { seed })],
    p: rows.length === 0 ? null : pairedTest(rows, others, { statistic: winRate, seed }).p,
    agreement: ratio(agreeing.length, valid.length),
    firstShare: ratio(chosen('A'), chosen('A') + chosen('B')),
    verdicts: choices.length,
    invalid: chosen(null),
  };
}
