import { holm, SIGNIFICANCE } from '../statistics.js';
import type { MeasuredValue, SystemComparison } from './results.js';
import { comparisonOver, intervalOver, valueOver } from './sums.js';
import type { Measure, TaskScore } from './task.js';

/** Scores of one task for one system, by the index of the row. */
export type ScoresByRow = ReadonlyMap<number, TaskScore>;

export async function measured(
  measure: Measure,
  scores: ScoresByRow,
  signal: AbortSignal,
): Promise<MeasuredValue> {
  const values = [...scores.values()];
  if (values.length === 0) return { value: null, interval: null, rows: 0 };
  return {
    value: valueOver(measure, values),
    interval: await intervalOver(measure, values, signal),
    rows: values.length,
  };
}

/** The scores of two systems under one measure, to be compared. */
export interface Pairing {
  measure: Measure;
  a: { name: string; scores: ScoresByRow };
  b: { name: string; scores: ScoresByRow };
}

type Tested = Omit<SystemComparison, 'adjustedP' | 'better' | 'sentence'>;

/** The paired test of two systems on the rows that both answered; null if there is none. */
export async function compareSystems(
  { measure, a, b }: Pairing,
  signal: AbortSignal,
): Promise<Tested | null> {
  const common = [...a.scores.keys()].filter((index) => b.scores.has(index)).sort((i, j) => i - j);
  if (common.length === 0) return null;
  const scoresOf = ({ scores }: Pairing['a']) => common.map((index) => scores.get(index)!);
  const comparison = await comparisonOver(measure, scoresOf(a), scoresOf(b), signal);
  return { measure: measure.name, a: a.name, b: b.name, rows: common.length, ...comparison };
}

/** Corrects the p values for the number of tests, and says in words what each shows. */
export function verdicts(
  tested: readonly Tested[],
  measures: readonly Measure[],
): SystemComparison[] {
  const adjusted = holm(tested.map(({ p }) => p));
  return tested.map((test, i) => {
    const measure = measures.find(({ name }) => name === test.measure)!;
    const adjustedP = adjusted[i]!;
    const aIsBetter = test.difference > 0 === measure.higherIsBetter;
    const isSignificant = adjustedP < SIGNIFICANCE && test.difference !== 0;
    const better = isSignificant ? (aIsBetter ? test.a : test.b) : null;
    const comparison = { ...test, adjustedP, better };
    return { ...comparison, sentence: sentenceOf(comparison, measure, tested.length) };
  });
}

function sentenceOf(
  { a, b, rows, difference, interval, adjustedP, better }: Omit<SystemComparison, 'sentence'>,
  { title, isPercent }: Measure,
  tests: number,
): string {
  const number = (value: number) => (isPercent ? 100 * value : value).toFixed(isPercent ? 1 : 3);
  const range =
    interval === null ? '' : `, 95 % interval ${number(interval[0])} to ${number(interval[1])}`;
  const unit = isPercent ? ' percentage points' : '';
  const size = `${title} of ${a} minus ${b} is ${number(difference)}${unit} on ${rows} ${rows === 1 ? 'row' : 'rows'}${range}`;
  const p = `p ${pText(adjustedP)}${tests > 1 ? ' after correction' : ''}`;
  if (better !== null) return `${better} is better beyond chance: ${size}; ${p}.`;
  if (difference === 0) return `${a} and ${b} are equal: ${size}.`;
  return `${a} and ${b} do not differ beyond chance: ${size}; ${p}.`;
}

const pText = (p: number): string => (p < 0.001 ? '< 0.001' : `= ${p.toPrecision(2)}`);
