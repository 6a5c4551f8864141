import { mean, median, quantileSorted, sampleWithReplacement } from 'simple-statistics';
import { seededRandom } from './random.js';

/** Statistics of repeated measurements, in their unit. */
export interface Statistics {
  median: number;
  mean: number;
  min: number;
  max: number;
  /** (max - min) / mean; null if the mean is 0. */
  spread: number | null;
  /** 95 % bootstrap interval of the median; null for fewer than 3 samples, which cannot carry one. */
  interval: readonly [low: number, high: number] | null;
}

const RESAMPLES = 2000;
/** Fewest samples with a bootstrap interval. */
export const FEWEST = 3;
/** A difference whose p value is below this is called better or worse beyond chance (statistically significant). */
export const SIGNIFICANCE = 0.05;
/** Random assignments of a paired test; its smallest p value is 1 / (ASSIGNMENTS + 1). */
const ASSIGNMENTS = 9999;
/** With at most this many pairs that differ, a paired test tries all 2^n assignments instead of random ones. */
const EXACT_PAIRS = 13;

/** @throws RangeError without samples */
export function statisticsOf(samples: readonly number[]): Statistics {
  if (samples.length === 0) throw new RangeError('statistics need at least one sample');
  const values = [...samples];
  const [min, max, average] = [Math.min(...values), Math.max(...values), mean(values)];
  return {
    median: median(values),
    mean: average,
    min,
    max,
    spread: average === 0 ? null : (max - min) / Math.abs(average),
    interval: samples.length < FEWEST ? null : bootstrapInterval(values, median),
  };
}

/**
 * Percentile bootstrap (Efron 1979, doi 10.1214/aos/1176344552) of a statistic at 95 %: `samples` may be numbers or whole
 * rows, which are drawn with replacement. The same samples and seed give the same interval.
 */
export function bootstrapInterval<T>(
  samples: readonly T[],
  statistic: (resample: T[]) => number,
  { seed = samples.length }: { seed?: number } = {},
): readonly [low: number, high: number] {
  const random = seededRandom(seed);
  return percentiles(() => statistic(resample(samples, random)));
}

/** 95 % bootstrap interval of median(after) / median(before); null for fewer than 3 samples on either side. */
export function ratioInterval(
  before: readonly number[],
  after: readonly number[],
): readonly [low: number, high: number] | null {
  if (before.length < FEWEST || after.length < FEWEST) return null;
  const random = seededRandom(before.length);
  return percentiles(() => median(resample(after, random)) / median(resample(before, random)));
}

const resample = <T>(samples: readonly T[], random: () => number): T[] =>
  sampleWithReplacement(samples as T[], samples.length, random);

const percentiles = (draw: () => number): readonly [low: number, high: number] =>
  finish(percentileSteps(draw));

/**
 * The 95 % interval of a percentile bootstrap. It pauses after each resample, so that a caller can do other work.
 *
 * @param draw the statistic of a new resample
 */
export function* percentileSteps(
  draw: () => number,
): Generator<void, readonly [low: number, high: number]> {
  const drawn: number[] = [];
  for (let i = 0; i < RESAMPLES; i++) {
    drawn.push(draw());
    yield;
  }
  drawn.sort((a, b) => a - b);
  return [quantileSorted(drawn, 0.025), quantileSorted(drawn, 0.975)];
}

/** Runs steps to their end. */
function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Whether two systems differ on the same rows. */
export interface PairedTest {
  /** Number of pairs. */
  n: number;
  /** statistic(a) - statistic(b) */
  difference: number;
  /** 95 % bootstrap interval of the difference; null for fewer than 3 pairs. */
  interval: readonly [low: number, high: number] | null;
  /** Probability of a difference at least as large in either direction if the two systems were exchangeable. */
  p: number;
}

/**
 * Paired randomization test (Noreen 1989, "Computer-intensive methods for testing hypotheses"; for language systems: Yeh
 * 2000, aclanthology C00-2137): a[i] and b[i] belong to the same row, and under the null hypothesis they could be swapped.
 * `statistic` summarizes the values of one system and defaults to their mean. All assignments are tried if at most 13 pairs
 * differ, otherwise 9999 random ones, where p is (as extreme + 1) / (assignments + 1). The interval is a percentile
 * bootstrap over rows. The same values and seed give the same result.
 *
 * @throws RangeError if the lengths differ or there are no pairs
 */
export function pairedTest(a: readonly number[], b: readonly number[]): PairedTest;
export function pairedTest<T>(
  a: readonly T[],
  b: readonly T[],
  options: { statistic: (values: T[]) => number; seed?: number },
): PairedTest;
export function pairedTest<T>(
  a: readonly T[],
  b: readonly T[],
  options: { statistic?: (values: T[]) => number; seed?: number } = {},
): PairedTest {
  const n = a.length;
  if (n !== b.length || n === 0)
    throw new RangeError(`a paired test needs pairs but received ${n} and ${b.length} values`);
  const statistic = options.statistic ?? (mean as unknown as (values: T[]) => number);
  const seed = options.seed ?? n;
  const difference = statistic([...a]) - statistic([...b]);
  const pairs = a.map((value, i) => [value, b[i] as T] as const);
  const differenceOf = (drawn: readonly (readonly [T, T])[]) =>
    statistic(drawn.map(([first]) => first)) - statistic(drawn.map(([, second]) => second));
  return {
    n,
    difference,
    interval: n < FEWEST ? null : bootstrapInterval(pairs, differenceOf, { seed }),
    p: randomizationP(a, b, statistic, difference, seededRandom(seed)),
  };
}

function randomizationP<T>(
  a: readonly T[],
  b: readonly T[],
  statistic: (values: T[]) => number,
  difference: number,
  random: () => number,
): number {
  const unequal = a.flatMap((value, i) => (Object.is(value, b[i]) ? [] : [i]));
  const [first, second] = [[...a], [...b]];
  const differenceOf = (isSwapped: (k: number) => boolean): number => {
    unequal.forEach((i, k) => {
      const swapped = isSwapped(k);
      first[i] = (swapped ? b : a)[i] as T;
      second[i] = (swapped ? a : b)[i] as T;
    });
    return statistic(first) - statistic(second);
  };
  return finish(randomizationSteps(unequal.length, difference, differenceOf, random));
}

/**
 * The p value of a paired randomization test (see pairedTest()). It pauses after each assignment, so that a caller can do
 * other work.
 *
 * @param pairs number of pairs that differ
 * @param difference without a swap
 * @param differenceOf the difference after swapping the pairs k for which `isSwapped(k)`, which is called once for each k in
 *   order
 */
export function* randomizationSteps(
  pairs: number,
  difference: number,
  differenceOf: (isSwapped: (k: number) => boolean) => number,
  random: () => number,
): Generator<void, number> {
  const isExact = pairs <= EXACT_PAIRS;
  // Sums in another order differ in their last bits.
  const threshold = Math.abs(difference) * (1 - 1e-9);
  const assignments = isExact ? 2 ** pairs : ASSIGNMENTS;
  let extreme = 0;
  for (let i = 0; i < assignments; i++) {
    const isSwapped = isExact ? (k: number) => ((i >> k) & 1) === 1 : () => random() < 0.5;
    if (Math.abs(differenceOf(isSwapped)) >= threshold) extreme++;
    yield;
  }
  return isExact ? extreme / assignments : (extreme + 1) / (assignments + 1);
}

/**
 * p values corrected for the number of tests, in the given order: Holm's step-down procedure (Holm 1979, "A simple
 * sequentially rejective multiple test procedure").
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((i, j) => pValues[i]! - pValues[j]!);
  const adjusted = new Array<number>(pValues.length);
  let largest = 0;
  order.forEach((i, rank) => {
    largest = Math.max(largest, Math.min(1, pValues[i]! * (pValues.length - rank)));
    adjusted[i] = largest;
  });
  return adjusted;
}
