import * as format from '../../format.js';
import type { Estimate } from '../../raft/metrics.js';
import type { RaftSummary } from '../../raft/summary.js';
import { type Cell, NOT_MEASURED } from '../suite/document.js';

/** '32.0 %' */
export const percent = (value: number | undefined): string =>
  value === undefined ? 'n/a' : format.percent(value);

/** '+6.3' */
const signed = (value: number): string =>
  `${value >= 0 ? '+' : '−'}${Math.abs(100 * value).toFixed(1)}`;

/** '+6.3 points': percentage points. */
export const difference = (value: number): string => `${signed(value)} points`;

export const intervalText = (
  interval: readonly [number, number] | null,
  text: (value: number) => string = percent,
): string =>
  interval === null
    ? 'too few prompts for an interval'
    : `95 % interval ${text(interval[0])} to ${text(interval[1])}`;

/** '50.9 % (41.9–60.0)' */
export function estimateCell(estimate: Estimate | null | undefined): Cell {
  if (estimate === null || estimate === undefined) return NOT_MEASURED;
  const { value, interval } = estimate;
  const range =
    interval === null
      ? ''
      : ` (${(100 * interval[0]).toFixed(1)}–${(100 * interval[1]).toFixed(1)})`;
  return { text: `${percent(value)}${range}`, value, note: intervalText(interval) };
}

/** The result of the run in a sentence. */
export function verdictText({ baseline, final, change, evaluationPrompts }: RaftSummary): string {
  if (change === null || baseline.metrics === null || final.metrics === null) {
    return 'The run has not finished.';
  }
  const { passAt1, verdict } = change;
  const [before, after] = [baseline.metrics, final.metrics].map(({ passAt }) => passAt['1']!.value);
  const kind = evaluationPrompts === null ? 'trained prompt' : 'held-out prompt';
  const conclusion = {
    better: 'the final model is better, beyond chance',
    worse: 'the final model is worse, beyond chance',
    'no difference': 'a difference is not beyond chance',
  }[verdict];
  const p = format.pEquation(passAt1.p);
  return (
    `pass@1 went from ${percent(before)} to ${percent(after)} on ${format.plural(passAt1.n, kind)} ` +
    `(${difference(passAt1.difference)}, ${intervalText(passAt1.interval, signed)}, ${p}): ${conclusion}.`
  );
}
