import { linearRegression, mean, median, variance } from 'simple-statistics';
import type { TrialResult } from '../../bench/suite/results.js';
import { smooth } from '../smooth.js';

/** How stable a training was. Definitions: docs/benchmarking.md. */
export interface Dynamics {
  meanGradientNorm: number;
  gradientNormVariance: number;
  gradientSpikes: number;
  lossVariance: number;
  lossSpikes: number;
  plateaus: number;
  nonFiniteLosses: number;
}

/** Fewest steps with dynamics: shorter runs say nothing about them. */
const FEWEST_STEPS = 20;
/** A gradient norm above this multiple of the median of the steps before it is a spike. */
const GRADIENT_SPIKE = 3;
/** A loss this much above the median of the steps before it is a spike, nats. */
const LOSS_SPIKE = 0.5;
/** A window whose mean loss is not lower by this share than that of the window before is part of a plateau. */
const PLATEAU = 0.005;

/** The steps of a window: a tenth of the run, 5 to 100. */
const windowOf = (steps: number): number => Math.min(100, Math.max(5, Math.round(steps / 10)));

/** null for a run that is too short to say anything. */
export function dynamicsOf({ series }: TrialResult): Dynamics | null {
  const losses = series.loss ?? [];
  const finite = losses.filter((loss) => loss !== null && Number.isFinite(loss)) as number[];
  const norms = (series.gradientNorm ?? []).filter((norm) => norm !== null) as number[];
  if (finite.length < FEWEST_STEPS || norms.length < FEWEST_STEPS) return null;
  const size = windowOf(finite.length);
  return {
    meanGradientNorm: mean(norms),
    gradientNormVariance: variance(norms),
    gradientSpikes: spikes(norms, size, (value, usual) => value > GRADIENT_SPIKE * usual),
    lossVariance: mean(windows(finite, size).map(varianceAroundTrend)),
    lossSpikes: spikes(finite, size, (value, usual) => value > usual + LOSS_SPIKE),
    plateaus: plateausOf(windows(finite, size).map((window) => mean(window))),
    nonFiniteLosses: losses.length - finite.length,
  };
}

function windows(values: readonly number[], size: number): number[][] {
  const count = Math.floor(values.length / size);
  return Array.from({ length: count }, (_, i) => values.slice(i * size, (i + 1) * size));
}

/** The variance of a window without its linear trend: a loss that falls evenly is smooth. */
function varianceAroundTrend(values: readonly number[]): number {
  const { m, b } = linearRegression(values.map((value, i) => [i, value]));
  return variance(values.map((value, i) => value - m * i - b));
}

/** Values that are unusual after the `size` values before them; several in a row count as one. */
function spikes(
  values: readonly number[],
  size: number,
  isSpike: (value: number, usual: number) => boolean,
): number {
  let count = 0;
  let inSpike = false;
  for (let i = size; i < values.length; i++) {
    const spike = isSpike(values[i]!, median(values.slice(i - size, i)));
    if (spike && !inSpike) count++;
    inSpike = spike;
  }
  return count;
}

/** Stretches of at least two windows without progress. */
function plateausOf(means: readonly number[]): number {
  let count = 0;
  let length = 0;
  for (let i = 1; i < means.length; i++) {
    length = means[i]! > means[i - 1]! * (1 - PLATEAU) ? length + 1 : 0;
    if (length === 2) count++;
  }
  return count;
}

/** The first step, counted from 1, whose smoothed training loss is at most `target`; null if there is none. */
export function stepsToLoss(losses: readonly (number | null)[], target: number): number | null {
  const values = losses.map((loss) => loss ?? Number.NaN);
  const half = Math.floor(windowOf(losses.length) / 2);
  const index = smooth(values, half).findIndex((loss) => loss !== null && loss <= target);
  return index < 0 ? null : index + 1;
}
