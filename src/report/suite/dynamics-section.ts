import type { TrialResult } from '../../bench/suite/results.js';
import { cellOf, valueText } from './cells.js';
import { type Block, type Cell, left, NOT_MEASURED, right, textCell } from './document.js';
import { type Dynamics, dynamicsOf, stepsToLoss } from './dynamics.js';
import { hasLosses, trialName } from './names.js';

const COLUMNS: readonly (readonly [title: string, field: keyof Dynamics])[] = [
  ['Mean gradient norm', 'meanGradientNorm'],
  ['Variance', 'gradientNormVariance'],
  ['Gradient spikes', 'gradientSpikes'],
  ['Loss variance', 'lossVariance'],
  ['Loss spikes', 'lossSpikes'],
  ['Plateaus', 'plateaus'],
  ['Losses that are not finite', 'nonFiniteLosses'],
];

const OF_LOSSES: ReadonlySet<keyof Dynamics> = new Set(['lossVariance', 'lossSpikes', 'plateaus']);

/** Gradient norms and the smoothness of the loss, for runs that are long enough to have them. */
export function dynamicsBlocks(trials: readonly TrialResult[]): Block[] {
  const rows = trials.flatMap((trial): Cell[][] => {
    const dynamics = dynamicsOf(trial);
    if (dynamics === null) return [];
    const cells = COLUMNS.map(([, field]) =>
      OF_LOSSES.has(field) && !hasLosses(trial) ? NOT_MEASURED : numberCell(dynamics[field]),
    );
    return [[textCell(trialName(trial)), ...cells]];
  });
  const columns = [left('Run'), ...COLUMNS.map(([title]) => right(title))];
  return rows.length === 0 ? [] : [{ kind: 'table', title: 'Training dynamics', columns, rows }];
}

const numberCell = (value: number): Cell => ({
  text: Number.isInteger(value) ? String(value) : value.toPrecision(3),
  value,
});

/** Steps, time, energy and memory until the smoothed training loss reaches each target of the benchmark. */
export function targetBlocks(trials: readonly TrialResult[]): Block[] {
  const hasPower = trials.some(({ measures }) => measures.averagePower !== undefined);
  const rows = trials.flatMap((trial) => targetRows(trial, hasPower));
  const columns = [
    left('Run'),
    right('Target loss'),
    right('Perplexity'),
    ...['Steps', 'Time', ...(hasPower ? ['Energy, Wh'] : []), 'Peak memory'].map(right),
  ];
  return rows.length === 0 ? [] : [{ kind: 'table', title: 'To a target loss', columns, rows }];
}

function targetRows(trial: TrialResult, hasPower: boolean): Cell[][] {
  const { spec, series } = trial;
  if (spec.kind !== 'training') return [];
  return spec.targetLosses.map((target) => {
    const steps = stepsToLoss(series.loss ?? [], target);
    return [
      textCell(trialName(trial)),
      { text: target.toFixed(2), value: target },
      { text: Math.exp(target).toFixed(2), value: Math.exp(target) },
      ...(steps === null
        ? [{ text: 'not reached' }, NOT_MEASURED]
        : [{ text: String(steps), value: steps }, timeCell(trial, steps)]),
      ...(hasPower ? [energyCell(trial, steps)] : []),
      cellOf(trial, 'peakMemory', 'max'),
    ];
  });
}

function timeCell(trial: TrialResult, steps: number): Cell {
  const value = secondsOf(trial, steps);
  return { text: valueText(value, 's'), value };
}

/** Extrapolated: the average power of the measured steps, for the time of all steps. */
function energyCell(trial: TrialResult, steps: number | null): Cell {
  const power = trial.measures.averagePower?.median;
  if (power === undefined || steps === null) return NOT_MEASURED;
  const value = (power * secondsOf(trial, steps)) / 3600;
  return { text: `≈ ${valueText(value, 'Wh')}`, value };
}

function secondsOf({ series }: TrialResult, steps: number): number {
  const seconds = (series.stepSeconds ?? []).slice(0, steps);
  return seconds.reduce<number>((total, each) => total + (each ?? 0), 0);
}
