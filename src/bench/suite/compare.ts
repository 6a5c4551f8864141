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
  /** 95 % bootstrap interval of the ratio; null for fewer than 3 samples on either side, and for memory. */
  interval: readonly [low: number, high: number] | null;
  /** 'better' and 'worse' are beyond noise and beyond the tolerance. 'unknown': too few samples of a speed to say. */
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

/** Measures that are compared. */
const COMPARED = ['tokensPerSecond', 'peakMemory'] as const;

/**
 * A trial has one peak of memory. It hardly depends on what else the machine does: peaks of three runs of a training differed
 * by 0.3 % (benchmarks/community/intel-xeon-2cores-amx). A difference above this share is not noise.
 */
const MEMORY_NOISE = 0.02;

/**
 * Compares two results trial by trial. A difference of speeds counts if its interval excludes 1 and it is larger than
 * `tolerance`, one of peak memory if it is larger than `tolerance` and than 2 %.
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
  return COMPARED.flatMap((measure): Comparison[] => {
    const [before, after] = [a.measures[measure], b.measures[measure]];
    if (before === undefined || after === undefined) return [];
    const [key, ratio] = [a.key, after.median / before.median];
    const compared = { key, measure, before: before.median, after: after.median, ratio };
    if (measure === 'peakMemory') {
      const differs = Math.abs(ratio - 1) > Math.max(tolerance, MEMORY_NOISE);
      return [{ ...compared, interval: null, verdict: verdictOf(differs, ratio < 1) }];
    }
    const interval = ratioInterval(before.samples, after.samples);
    if (interval === null) return [{ ...compared, interval, verdict: 'unknown' }];
    const differs = (interval[0] > 1 || interval[1] < 1) && Math.abs(ratio - 1) > tolerance;
    return [{ ...compared, interval, verdict: verdictOf(differs, ratio > 1) }];
  });
}

const verdictOf = (differs: boolean, isBetter: boolean): 'better' | 'worse' | 'same' =>
  differs ? (isBetter ? 'better' : 'worse') : 'same';
