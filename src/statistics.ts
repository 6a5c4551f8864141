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
const FEWEST = 3;

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
 * Percentile bootstrap (Efron 1979, doi 10.1214/aos/1176344552) of a statistic at 95 %. The same samples give the same
 * interval.
 */
export function bootstrapInterval(
  samples: readonly number[],
  statistic: (resample: number[]) => number,
): readonly [low: number, high: number] {
  const random = seededRandom(samples.length);
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

const resample = (samples: readonly number[], random: () => number): number[] =>
  sampleWithReplacement([...samples], samples.length, random);

function percentiles(draw: () => number): readonly [low: number, high: number] {
  const drawn = Array.from({ length: RESAMPLES }, draw).sort((a, b) => a - b);
  return [quantileSorted(drawn, 0.025), quantileSorted(drawn, 0.975)];
}
