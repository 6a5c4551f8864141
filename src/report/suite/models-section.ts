import { linearRegression, mean } from 'simple-statistics';
import type { TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { cellOf, cellWithScope, valueText } from './cells.js';
import { type Block, type Cell, left, NOT_MEASURED, right, textCell } from './document.js';
import { groupBy, hasLosses, modelName } from './names.js';

const METRICS = [
  ['Tokens/s', 'tokensPerSecond', 'median'],
  ['Time/step', 'stepTime', 'median'],
  ['Peak memory', 'peakMemory', 'max'],
  ['Average power, W', 'averagePower', 'median'],
] as const;

const LOSSES = [
  ['Training loss', 'finalLoss', 'nats'],
  ['Evaluation loss', 'evaluationLoss', 'nats'],
  ['Perplexity', 'evaluationLoss', 'perplexity'],
] as const;

/** A loss, or the perplexity that it is the logarithm of. */
function lossCell(trial: TrialResult, measure: string, unit: 'nats' | 'perplexity'): Cell {
  const cell = cellOf(trial, measure);
  if (cell.value === undefined) return cell;
  const perplexity = Math.exp(cell.value);
  return unit === 'nats' ? cell : { text: perplexity.toFixed(2), value: perplexity };
}

/** Models side by side, for each weight type and device, and a projection to larger ones. */
export function modelBlocks(trials: readonly TrialResult[]): Block[] {
  const keyOf = ({ spec }: TrialResult) => `${spec.weightType}, ${spec.device}`;
  return groupBy(trials, keyOf).flatMap(([title, models]): Block[] => {
    if (new Set(models.map(modelName)).size < 2) return [];
    const shown = METRICS.filter(
      ([, measure]) =>
        measure !== 'averagePower' || models.some(({ measures }) => measures.averagePower),
    );
    const losses = LOSSES.filter(([, measure]) =>
      models.some((trial) => hasLosses(trial) && trial.measures[measure] !== undefined),
    );
    return [
      {
        kind: 'table',
        title: `Models compared: ${title}`,
        columns: [
          left('Model'),
          right('Parameters'),
          ...[...shown, ...losses].map(([name]) => right(name)),
        ],
        rows: models.map((trial) => [
          textCell(modelName(trial)),
          parametersCell(trial),
          ...shown.map(([, measure, statistic]) => cellWithScope(trial, measure, statistic)),
          ...losses.map(([, measure, unit]) => lossCell(trial, measure, unit)),
        ]),
      },
      ...projectionBlocks(title, models),
    ];
  });
}

const parametersOf = ({ details }: TrialResult): number | undefined =>
  typeof details.parameters === 'number' ? details.parameters : undefined;

function parametersCell(trial: TrialResult): Cell {
  const value = parametersOf(trial);
  return value === undefined ? NOT_MEASURED : { text: format.count(value), value };
}

/** Sizes to project to, in parameters. */
const PROJECTED = [0.5e9, 1.5e9, 3e9, 7e9, 13e9];
/** Fewest measured models that a line with an interval can be fitted to. */
const FEWEST = 3;
/** Projections reach this much beyond the largest measured model. */
const REACH = 10;

/** Speed and memory of larger models, from lines through the measured ones in logarithmic scales. */
function projectionBlocks(title: string, models: readonly TrialResult[]): Block[] {
  const points = (measure: string) =>
    models.flatMap((trial): [number, number][] => {
      const [x, y] = [parametersOf(trial), trial.measures[measure]?.median];
      return x === undefined || y === undefined ? [] : [[x, y]];
    });
  const [speeds, memory] = [points('tokensPerSecond'), points('peakMemory')];
  const largest = Math.max(...speeds.map(([x]) => x));
  const sizes = PROJECTED.filter((size) => size > largest && size <= REACH * largest);
  if (speeds.length < FEWEST || memory.length < FEWEST || sizes.length === 0) return [];
  const [speedAt, memoryAt] = [powerLaw(speeds), powerLaw(memory)];
  const cell = (value: Projection, unit: 'tokens/s' | 'bytes'): Cell => ({
    text: `≈ ${valueText(value.value, unit)} (${valueText(value.low, unit)} to ${valueText(value.high, unit)})`,
    value: value.value,
  });
  return [
    {
      kind: 'table',
      title: `Projection to larger models, not measured: ${title}`,
      columns: [left('Parameters'), right('Tokens/s'), right('Peak memory')],
      rows: sizes.map((size) => [
        { text: format.count(size), value: size },
        cell(speedAt(size), 'tokens/s'),
        cell(memoryAt(size), 'bytes'),
      ]),
    },
    {
      kind: 'text',
      text:
        `Fitted to ${speeds.length} measured models as a power of the parameters; in parentheses the 95 % prediction ` +
        'interval. Models with other shapes differ.',
    },
  ];
}

export interface Projection {
  value: number;
  low: number;
  high: number;
}

/** 97.5 % quantiles of Student's t distribution for 1 to 10 degrees of freedom, then of the normal distribution. */
const T_QUANTILES = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/**
 * y = a · x^b by least squares of the logarithms, with the 95 % prediction interval of simple linear regression (Draper and
 * Smith, Applied Regression Analysis, 3rd ed., section 3.2).
 *
 * @param points at least three
 */
export function powerLaw(
  points: readonly (readonly [x: number, y: number])[],
): (x: number) => Projection {
  const logs = points.map(([x, y]): [number, number] => [Math.log(x), Math.log(y)]);
  const { m, b } = linearRegression(logs);
  const freedom = points.length - 2;
  const center = mean(logs.map(([x]) => x));
  const spread = logs.reduce((sum, [x]) => sum + (x - center) ** 2, 0);
  const residual = Math.sqrt(logs.reduce((sum, [x, y]) => sum + (y - m * x - b) ** 2, 0) / freedom);
  const quantile = T_QUANTILES[freedom - 1] ?? 1.96;
  return (x) => {
    const at = Math.log(x);
    const width =
      quantile * residual * Math.sqrt(1 + 1 / points.length + (at - center) ** 2 / spread);
    const value = m * at + b;
    return { value: Math.exp(value), low: Math.exp(value - width), high: Math.exp(value + width) };
  };
}
