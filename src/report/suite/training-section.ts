import type { TrialResult } from '../../bench/suite/results.js';
import { ratioInterval } from '../../statistics.js';
import { cellWithScope, outcomeText, percentChange } from './cells.js';
import {
  type Block,
  type Cell,
  type Chart,
  left,
  NOT_MEASURED,
  right,
  textCell,
} from './document.js';
import { groupBy, modelName } from './names.js';

const ROWS = [
  ['Tokens/s', 'tokensPerSecond', 'median'],
  ['Time/step', 'stepTime', 'median'],
  ['Time/epoch', 'epochTime', 'mean'],
  ['Full training', 'trainingTime', 'mean'],
  ['Peak memory', 'peakMemory', 'max'],
  ['Average power, W', 'averagePower', 'median'],
] as const;

/** Speed, time per step, epoch and training, and memory: one table per model, a row per device, a column per weight type. */
export function trainingBlocks(trials: readonly TrialResult[]): Block[] {
  return groupBy(trials, modelName).flatMap(([name, ofModel]) => {
    const weightTypes = [...new Set(ofModel.map(({ spec }) => spec.weightType))];
    const devices = groupBy(ofModel, ({ spec }) => spec.device);
    // random tokens have no epochs
    const shown = ROWS.filter(([, measure]) =>
      ofModel.some((trial) => outcomeText(trial) === undefined && trial.measures[measure]),
    );
    const rows = (shown.length === 0 ? ROWS : shown).flatMap(([title, measure, statistic]) =>
      devices.map(([device, ofDevice]): Cell[] => [
        textCell(title),
        textCell(device),
        ...weightTypes.map((type) => {
          const trial = ofDevice.find(({ spec }) => spec.weightType === type);
          return trial === undefined ? { text: 'n/a' } : cellWithScope(trial, measure, statistic);
        }),
      ]),
    );
    return [
      {
        kind: 'table' as const,
        title: `${name}${epochsText(ofModel)}`,
        columns: [left(''), left('Device'), ...weightTypes.map(right)],
        rows,
      },
      { kind: 'chart' as const, chart: chartOf(name, ofModel) },
    ];
  });
}

function epochsText(trials: readonly TrialResult[]): string {
  const epochs = trials.flatMap(({ spec }) =>
    spec.kind === 'training' && spec.dataset !== null ? [spec.epochs] : [],
  );
  return epochs.length === 0 ? '' : `, full training of ${Math.max(...epochs)} epochs`;
}

function chartOf(name: string, trials: readonly TrialResult[]): Chart {
  const speeds = trials.map((trial) => trial.measures.tokensPerSecond);
  return {
    kind: 'bars',
    title: `${name}: training`,
    names: trials.map(({ spec }) => `${spec.device} (${spec.weightType})`),
    yTitle: 'tokens/s',
    series: [
      {
        name: 'median',
        values: speeds.map((speed) => speed?.median ?? null),
        ranges: speeds.map((speed) => speed?.interval ?? null),
      },
    ],
  };
}

const SWEEP_COLUMNS = [
  ['Tokens/s', 'tokensPerSecond', 'median'],
  ['Time/step', 'stepTime', 'median'],
  ['Peak memory', 'peakMemory', 'max'],
  ['TTFT', 'timeToFirstToken', 'median'],
  ['Average power, W', 'averagePower', 'median'],
] as const;

/** One row per combination of the varied options, for each model, weight type and device. */
export function sweepBlocks(trials: readonly TrialResult[]): Block[] {
  const options = Object.keys(trials[0]?.varied ?? {});
  const columns = SWEEP_COLUMNS.filter(([, measure]) =>
    trials.some((trial) => trial.measures[measure] !== undefined),
  );
  const keyOf = (trial: TrialResult) =>
    `${modelName(trial)}, ${trial.spec.weightType}, ${trial.spec.device}`;
  return groupBy(trials, keyOf).flatMap(([title, group]): Block[] => [
    {
      kind: 'table',
      title,
      columns: [
        ...options.map(left),
        ...columns.map(([name]) => right(name)),
        right('Speed, against the first row (95 % interval)'),
      ],
      rows: group.map((trial) => [
        ...options.map((option): Cell => variedCell(trial.varied[option])),
        ...columns.map(([, measure, statistic]) => cellWithScope(trial, measure, statistic)),
        changeCell(trial, group[0]!),
      ]),
    },
    ...sweepChart(title, options, group),
  ]);
}

/** The change of the median with its 95 % bootstrap interval: '+12.3 % (+9.8 to +14.1)'. */
function changeCell(trial: TrialResult, first: TrialResult): Cell {
  const [own, other] = [trial, first].map(({ measures }) => measures.tokensPerSecond);
  if (own === undefined || other === undefined) return NOT_MEASURED;
  if (trial === first) return textCell('');
  const value = own.median / other.median;
  const interval = ratioInterval(other.samples, own.samples);
  if (interval === null) {
    const note = 'fewer than three measurements of a speed carry no interval';
    return { text: `${percentChange(value)} (n/a)`, value, note };
  }
  const [low, high] = interval.map((ratio) => percentChange(ratio).replace(' %', ''));
  return { text: `${percentChange(value)} (${low} to ${high})`, value };
}

const variedCell = (value: unknown): Cell => ({
  text: typeof value === 'string' ? value : JSON.stringify(value),
  ...(typeof value === 'number' ? { value } : {}),
});

const SWEEP_PANELS = [
  ['tokensPerSecond', 1, 'tokens/s'],
  ['peakMemory', 1e9, 'peak memory, GB'],
] as const;

/** Speed and memory over the option that varies, if it is a single number. */
function sweepChart(title: string, options: string[], trials: readonly TrialResult[]): Block[] {
  const [option] = options;
  if (option === undefined || options.length > 1) return [];
  const x = trials.map((trial) => trial.varied[option]);
  if (x.some((value) => typeof value !== 'number')) return [];
  const panels = SWEEP_PANELS.flatMap(([measure, scale, yTitle]) => {
    const values = trials.map((trial, i): [number, number | null] => {
      const found = trial.measures[measure];
      return [x[i] as number, found === undefined ? null : found.median / scale];
    });
    const series = [{ name: yTitle, values }];
    return values.every(([, y]) => y === null) ? [] : [{ yTitle, series }];
  });
  const chart = { kind: 'lines' as const, title: `${title}, by ${option}`, xTitle: option, panels };
  return panels.length === 0 ? [] : [{ kind: 'chart', chart }];
}
