import type { TrialResult } from '../../bench/suite/results.js';

/** The matmul speeds of the machine before and after trials, in GFLOP/s; none where they were not measured. */
export const peaksOf = (trials: readonly TrialResult[]): number[] =>
  trials.flatMap(({ noise }) =>
    [noise?.peakBefore, noise?.peakAfter].filter((peak) => typeof peak === 'number'),
  );

/**
 * How much the speed of the machine itself changed between trials: the highest matmul speed over the lowest one, 1 if it
 * was not measured. A difference between trials that is not larger says nothing about them.
 */
export function machineDrift(trials: readonly TrialResult[]): number {
  const peaks = peaksOf(trials);
  return peaks.length === 0 ? 1 : Math.max(...peaks) / Math.min(...peaks);
}
