import type { TrialResult } from '../../bench/suite/results.js';
import { cellOf } from './cells.js';
import { type Block, type Chart, left, right, textCell } from './document.js';
import { columnName, groupBy, modelName } from './names.js';

const METRICS = [
  ['Peak t/s', 'tokensPerSecond', 'max'],
  ['Avg t/s', 'tokensPerSecond', 'mean'],
  ['Low t/s', 'tokensPerSecond', 'min'],
  ['TTFT', 'timeToFirstToken', 'median'],
  ['Peak memory', 'peakMemory', 'max'],
] as const;

/** Peak, average and lowest speed and the time to the first token: one table per model, a column per device and weight type. */
export function inferenceBlocks(trials: readonly TrialResult[]): Block[] {
  return groupBy(trials, modelName).flatMap(([name, ofModel]) => [
    {
      kind: 'table' as const,
      title: name,
      columns: [left('Metric'), ...ofModel.map((trial) => right(nameOf(trial)))],
      rows: METRICS.filter(
        ([, measure]) => measure !== 'peakMemory' || ofModel.some((t) => t.measures.peakMemory),
      ).map(([title, measure, statistic]) => [
        textCell(title),
        ...ofModel.map((trial) => cellOf(trial, measure, statistic)),
      ]),
    },
    { kind: 'chart' as const, chart: chartOf(name, ofModel) },
  ]);
}

const nameOf = (trial: TrialResult): string =>
  [columnName(trial), trial.label].filter((part) => part !== '').join(', ');

function chartOf(name: string, trials: readonly TrialResult[]): Chart {
  const speeds = trials.map((trial) => trial.measures.tokensPerSecond);
  return {
    kind: 'bars',
    title: `${name}: generation`,
    names: trials.map(nameOf),
    yTitle: 'tokens/s',
    series: [
      {
        name: 'average',
        values: speeds.map((speed) => speed?.mean ?? null),
        ranges: speeds.map((speed) => (speed ? [speed.min, speed.max] : null)),
      },
    ],
  };
}
