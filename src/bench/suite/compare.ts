import { mean } from 'simple-statistics';
import { configError } from '../../config/parse.js';
import { ratioInterval } from '../../statistics.js';
import type { SuiteResults, TrialResult } from './results.js';

/** One measure of one trial in two results. */
export interface Comparison {
  key: string;
  measure: string;
  /** Medians. */
  before: number;
  after: number;
  /** after / before. */
  ratio: number;
  /** 95 % bootstrap interval of the ratio; null for fewer than 3 samples on either side. */
  interval: readonly [low: number, high: number] | null;
  /** 'better' and 'worse' are beyond noise and beyond the tolerance. 'unknown': too few samples to say. */
  verdict: 'better' | 'worse' | 'same' | 'unknown';
}

/** The result of compareResults(). */
export interface ComparedResults {
  comparisons: Comparison[];
  /** Trials that only one of the results has, or that did not succeed in both. */
  notCompared: string[];
  /** Geometric mean of the ratios of all speeds; null if there are none. */
  meanSpeedRatio: number | null;
}

/** Measures that are compared, and whether more is better. */
const COMPARED = { tokensPerSecond: true, peakMemory: false } as const;

/**
 * Compares two results trial by trial. A difference counts if its interval excludes 1 and it is larger than `tolerance`.
 *
 * @param tolerance smallest difference that counts, as a fraction. Default: 0.05.
 * @throws LlamatuneError CONFIG_INVALID
 */
export function compareResults(
  before: SuiteResults,
  after: SuiteResults,
  { tolerance = 0.05 }: { tolerance?: number | undefined } = {},
): ComparedResults {
  if (!(tolerance >= 0)) {
    const message = `expected a number of at least 0 but received ${tolerance}`;
    throw configError([{ path: 'tolerance', message }], 'compareResults options');
  }
  const later = new Map(after.trials.map((trial) => [trial.key, trial]));
  const pairs = before.trials.flatMap((trial): [TrialResult, TrialResult][] => {
    const other = later.get(trial.key);
    const both = other !== undefined && isOk(trial) && isOk(other);
    return both ? [[trial, other]] : [];
  });
  const compared = new Set(pairs.map(([{ key }]) => key));
  const keys = new Set([...before.trials, ...after.trials].map(({ key }) => key));
  const comparisons = pairs.flatMap((pair) => comparePair(pair, tolerance));
  const logs = comparisons.flatMap(({ measure, ratio }) =>
    measure === 'tokensPerSecond' ? [Math.log(ratio)] : [],
  );
  return {
    comparisons,
    notCompared: [...keys].filter((key) => !compared.has(key)),
    meanSpeedRatio: logs.length === 0 ? null : Math.exp(mean(logs)),
  };
}

const isOk = ({ outcome }: TrialResult): boolean => outcome.status === 'ok';

function comparePair([a, b]: [TrialResult, TrialResult], tolerance: number): Comparison[] {
  return Object.entries(COMPARED).flatMap(([measure, moreIsBetter]) => {
    const [before, after] = [a.measures[measure], b.measures[measure]];
    if (before === undefined || after === undefined) return [];
    const interval = ratioInterval(before.samples, after.samples);
    const ratio = after.median / before.median;
    return [
      {
        key: a.key,
        measure,
        before: before.median,
        after: after.median,
        ratio,
        interval,
        verdict: verdictOf(ratio, interval, moreIsBetter, tolerance),
      },
    ];
  });
}

function verdictOf(
  ratio: number,
  interval: Comparison['interval'],
  moreIsBetter: boolean,
  tolerance: number,
): Comparison['verdict'] {
  if (interval === null) return 'unknown';
  const [low, high] = interval;
  const differs = (low > 1 || high < 1) && Math.abs(ratio - 1) > tolerance;
  if (!differs) return 'same';
  return ratio > 1 === moreIsBetter ? 'better' : 'worse';
}
