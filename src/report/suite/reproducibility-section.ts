import type { TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { statisticsOf } from '../../statistics.js';
import { cellOf, outcomeText, percent, valueText } from './cells.js';
import { stateFacts } from './device-state.js';
import { type Block, type Cell, left, NOT_MEASURED, right, textCell } from './document.js';
import { columnName, groupBy, hasLosses, modelName } from './names.js';

const COLUMNS = [
  ['Training time', 'runTime'],
  ['Samples/s', 'samplesPerSecond'],
  ['Final loss', 'finalLoss'],
  ['Peak memory', 'peakMemory'],
] as const;

/** The same run several times: each run and the spread, then what they have in common. */
export function reproducibilityBlocks(
  trials: readonly TrialResult[],
  machineMemoryBytes: number,
): Block[] {
  const keyOf = (trial: TrialResult) => `${modelName(trial)}, ${columnName(trial)}`;
  return groupBy(trials, keyOf).flatMap(([title, runs]): Block[] => [
    {
      kind: 'table',
      title,
      columns: [left('Run'), ...COLUMNS.map(([name]) => right(name))],
      rows: [
        ...runs.map((run) => [
          textCell(run.label),
          ...COLUMNS.map(([, measure]) => cellOf(run, measure)),
        ]),
        [textCell('Spread'), ...COLUMNS.map(([, measure]) => spreadOf(runs, measure))],
      ],
    },
    { kind: 'facts', facts: factsOf(runs, machineMemoryBytes) },
    ...curveChart(`${title}: training`, runs),
  ]);
}

/** (highest - lowest) / mean of the runs. */
function spreadOf(runs: readonly TrialResult[], measure: string): Cell {
  const values = runs.flatMap((run) => cellOf(run, measure).value ?? []);
  if (values.length < 2) return NOT_MEASURED;
  const { spread } = statisticsOf(values);
  return spread === null ? NOT_MEASURED : { text: percent(spread), value: spread };
}

function factsOf(
  runs: readonly TrialResult[],
  machineMemoryBytes: number,
): (readonly [string, string])[] {
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const completed = sum(runs.map((run) => run.measures.stepsCompleted?.median ?? 0));
  const planned = sum(
    runs.map(({ spec }) => (spec.kind === 'training' ? spec.warmup + spec.steps : 0)),
  );
  const errors = runs.flatMap((run) => outcomeText(run) ?? []);
  const peaks = runs.flatMap((run) => run.measures.peakMemory?.max ?? []);
  const peak = peaks.length === 0 ? undefined : Math.max(...peaks);
  return [
    ['Steps completed', `${format.integer(completed)} of ${format.integer(planned)}`],
    ['Errors', errors.length === 0 ? 'none' : errors.join(', ')],
    [
      'Memory',
      peak === undefined
        ? 'n/a'
        : `${valueText(peak, 'bytes')} of ${valueText(machineMemoryBytes, 'bytes')} ` +
          `(${percent(peak / machineMemoryBytes)}), ${valueText(machineMemoryBytes - peak, 'bytes')} headroom`,
    ],
    ['Identical losses', identicalLosses(runs)],
    ...stateFacts(runs),
  ];
}

/** Whether every step of every run had the same loss. */
function identicalLosses(runs: readonly TrialResult[]): string {
  const series = runs.map((run) => JSON.stringify(run.series.loss ?? null));
  if (series.length < 2 || series.includes('null')) return 'n/a';
  return new Set(series).size === 1 ? 'yes, in every step' : 'no';
}

const CURVES = [
  ['loss', 'loss, nats per target token'],
  ['gradientNorm', 'gradient norm'],
  ['learningRate', 'learning rate'],
] as const;

/** Loss, gradient norm and learning rate of every run, step by step. */
export function curveChart(title: string, runs: readonly TrialResult[]): Block[] {
  const panels = CURVES.flatMap(([name, yTitle]) => {
    const series = runs.flatMap((run) => {
      if (name === 'loss' && !hasLosses(run)) return [];
      const values = run.series[name]?.map((y, i): [number, number | null] => [i + 1, y]);
      return values === undefined ? [] : [{ name: run.label, values }];
    });
    return series.length === 0 ? [] : [{ yTitle, series }];
  });
  const chart = { kind: 'lines' as const, title, xTitle: 'optimizer step', panels };
  return panels.length === 0 ? [] : [{ kind: 'chart', chart }];
}
