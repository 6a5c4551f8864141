import { pacer } from '../data/pause.js';
import { seededRandom } from '../random.js';
import { FEWEST, percentileSteps, randomizationSteps } from '../statistics.js';
import type { Measure, TaskScore } from './task.js';

// Measures are functions of sums over rows, so that resampling many rows only adds up numbers.

/** The terms that each row adds to the sums of a measure, row by row. */
interface Terms {
  rows: number;
  columns: number;
  values: Float64Array;
}

type Interval = readonly [low: number, high: number];

export interface SumsComparison {
  difference: number;
  interval: Interval | null;
  p: number;
}

function termsOf(measure: Measure, scores: readonly TaskScore[]): Terms {
  const terms = scores.map((score) => measure.terms(score));
  const columns = terms[0]!.length;
  const values = new Float64Array(scores.length * columns);
  for (const [i, row] of terms.entries()) values.set(row, i * columns);
  return { rows: scores.length, columns, values };
}

function total({ rows, columns, values }: Terms): Float64Array {
  const sums = new Float64Array(columns);
  for (let i = 0; i < rows * columns; i++) sums[i % columns]! += values[i]!;
  return sums;
}

/** The value of a measure. */
export const valueOver = (measure: Measure, scores: readonly TaskScore[]): number =>
  measure.ofSums(total(termsOf(measure, scores)));

/** Its 95 % bootstrap interval over rows; null for fewer than 3 rows and if all rows are equal. */
export async function intervalOver(
  measure: Measure,
  scores: readonly TaskScore[],
  signal: AbortSignal,
): Promise<Interval | null> {
  if (scores.length < FEWEST) return null;
  const random = seededRandom(scores.length);
  const draw = resampler([termsOf(measure, scores)], random);
  return unlessEmpty(
    await paced(
      percentileSteps(() => measure.ofSums(draw()[0]!)),
      signal,
    ),
  );
}

/** The paired randomization test of two systems, whose scores belong to the same rows, as pairedTest() explains it. */
export async function comparisonOver(
  measure: Measure,
  a: readonly TaskScore[],
  b: readonly TaskScore[],
  signal: AbortSignal,
): Promise<SumsComparison> {
  const [first, second] = [termsOf(measure, a), termsOf(measure, b)];
  const { ofSums } = measure;
  const [sumsA, sumsB] = [total(first), total(second)];
  const difference = ofSums(sumsA) - ofSums(sumsB);
  const random = seededRandom(a.length);
  const draw = resampler([first, second], random);
  const drawDifference = () => {
    const [drawnA, drawnB] = draw();
    return ofSums(drawnA!) - ofSums(drawnB!);
  };
  const interval =
    a.length < FEWEST ? null : unlessEmpty(await paced(percentileSteps(drawDifference), signal));
  const unequal = unequalRows(first, second);
  const swappedDifference = swapper(unequal, sumsA, sumsB, ofSums);
  const steps = randomizationSteps(unequal.rows, difference, swappedDifference, random);
  return { difference, interval, p: await paced(steps, signal) };
}

/** An interval of width 0 means that all rows are equal; resampling them cannot say how certain a value is. */
const unlessEmpty = ([low, high]: Interval): Interval | null => (low === high ? null : [low, high]);

/** A function that draws rows with replacement, the same ones of each system, and returns their sums. */
function resampler(systems: readonly Terms[], random: () => number): () => Float64Array[] {
  const { rows, columns } = systems[0]!;
  const sums = systems.map(() => new Float64Array(columns));
  return () => {
    for (const each of sums) each.fill(0);
    for (let i = 0; i < rows; i++) {
      const start = Math.floor(random() * rows) * columns;
      for (let system = 0; system < systems.length; system++) {
        const [into, { values }] = [sums[system]!, systems[system]!];
        for (let c = 0; c < columns; c++) into[c]! += values[start + c]!;
      }
    }
    return sums;
  };
}

/** The second system minus the first, of the rows that are not equal. */
function unequalRows(a: Terms, b: Terms): Terms {
  const { columns } = a;
  const differences: number[] = [];
  for (let start = 0; start < a.values.length; start += columns) {
    const row = Array.from(
      { length: columns },
      (_, c) => b.values[start + c]! - a.values[start + c]!,
    );
    if (row.some((value) => value !== 0)) differences.push(...row);
  }
  return {
    rows: differences.length / columns,
    columns,
    values: Float64Array.from(differences),
  };
}

/** A function that swaps rows of the two systems and returns the difference of the measure. */
function swapper(
  { rows, columns, values }: Terms,
  sumsA: Float64Array,
  sumsB: Float64Array,
  ofSums: Measure['ofSums'],
): (isSwapped: (k: number) => boolean) => number {
  const [a, b] = [new Float64Array(columns), new Float64Array(columns)];
  return (isSwapped) => {
    a.set(sumsA);
    b.set(sumsB);
    for (let k = 0; k < rows; k++) {
      if (!isSwapped(k)) continue;
      for (let c = 0; c < columns; c++) {
        const value = values[k * columns + c]!;
        a[c]! += value;
        b[c]! -= value;
      }
    }
    return ofSums(a) - ofSums(b);
  };
}

/** Runs steps to their end without blocking the event loop. @throws LlamatuneError ABORTED */
async function paced<T>(steps: Generator<void, T>, signal: AbortSignal): Promise<T> {
  const pace = pacer(signal);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    const pause = pace();
    if (pause !== undefined) await pause;
  }
}
