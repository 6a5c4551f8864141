import type { Measure, TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { cellOf, outcomeText, percentChange, valueText } from './cells.js';
import { type Block, type Cell, left, right, textCell } from './document.js';
import { machineDrift } from './drift.js';
import { groupBy, modelName } from './names.js';
import { curveChart } from './reproducibility-section.js';

const METRICS = [
  ['Peak memory', 'peakMemory', true],
  ['Average memory', 'averageMemory', false],
  ['Time', 'runTime', true],
  ['Average step', 'stepTime', false],
  ['Samples/s', 'samplesPerSecond', true],
  ['Training loss', 'finalLoss', false],
  ['Evaluation loss', 'evaluationLoss', false],
] as const;

/** Methods over the same data, each against the first one, with the settings of each and what the numbers show. */
export function methodBlocks(trials: readonly TrialResult[]): Block[] {
  const keyOf = (trial: TrialResult) => `${modelName(trial)}, ${trial.spec.device}`;
  return groupBy(trials, keyOf).flatMap(([title, methods]): Block[] => {
    const baseline = methods[0]!;
    const findings = methods.slice(1).flatMap((method) => findingsOf(method, baseline));
    const columns = [left(''), ...methods.map(({ label }) => right(label))];
    return [
      {
        kind: 'table',
        title: `${title}; baseline: ${baseline.label}`,
        columns,
        rows: METRICS.map(([name, measure, compared]) => [
          textCell(name),
          ...methods.map((method) =>
            compared && method !== baseline
              ? comparedCell(method, baseline, measure)
              : cellOf(method, measure),
          ),
        ]),
      },
      {
        kind: 'table',
        title: 'Configuration',
        columns,
        rows: [
          [textCell('Weights'), ...methods.map(({ spec }) => textCell(spec.weightType))],
          ...SETTINGS.map(([name, setting]) => [
            textCell(name),
            ...methods.map(({ details }) => textCell(settingText(details[setting]))),
          ]),
        ],
      },
      ...(findings.length > 0
        ? [{ kind: 'list' as const, title: 'Key findings', items: findings }]
        : []),
      memoryChart(title, methods),
      ...curveChart(`${title}: training`, methods),
    ];
  });
}

function comparedCell(method: TrialResult, baseline: TrialResult, measure: string): Cell {
  const cell = cellOf(method, measure);
  const [value, other] = [method.measures[measure]?.median, baseline.measures[measure]?.median];
  if (value === undefined || other === undefined) return cell;
  return { ...cell, text: `${cell.text} (${percentChange(value / other)})` };
}

const SETTINGS = [
  ['Mode', 'mode'],
  ['Batch size', 'batchSize'],
  ['Tokens per micro-batch', 'microBatchTokens'],
  ['Precision', 'precision'],
  ['LoRA rank', 'rank'],
  ['LoRA alpha', 'alpha'],
  ['Trainable parameters', 'trainableParameters'],
  ['Gradient checkpointing', 'gradientCheckpointing'],
  ['Weight cache', 'weightCache'],
] as const;

function settingText(value: unknown): string {
  if (value === null || value === undefined) return 'n/a';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'number' ? format.integer(value) : String(value);
}

/** Changes of less than this are not worth a sentence. */
const SMALLEST_CHANGE = 0.05;

/**
 * What the numbers carry: memory that differs by 5 % or more, and speed whose intervals do not overlap and that differs by
 * more than the speed of the machine itself did.
 */
function findingsOf(method: TrialResult, baseline: TrialResult): string[] {
  const failure = outcomeText(method);
  if (failure !== undefined) return [`${method.label} did not finish: ${failure}.`];
  return [...memoryFinding(method, baseline), ...speedFinding(method, baseline)];
}

function memoryFinding(method: TrialResult, baseline: TrialResult): string[] {
  const [value, other] = [method.measures.peakMemory?.median, baseline.measures.peakMemory?.median];
  if (value === undefined || other === undefined) return [];
  const change = (value - other) / other;
  if (Math.abs(change) < SMALLEST_CHANGE) return [];
  const verb = change < 0 ? 'less' : 'more';
  const share = format.percent(Math.abs(change));
  return [
    `${method.label} needs ${share} ${verb} memory than ${baseline.label} ` +
      `(${valueText(value, 'bytes')} and ${valueText(other, 'bytes')}).`,
  ];
}

function speedFinding(method: TrialResult, baseline: TrialResult): string[] {
  const [own, other] = [method.measures.stepTime, baseline.measures.stepTime];
  if (!own?.interval || !other?.interval || overlap(own, other)) return [];
  const factor = other.median / own.median;
  const [text, word] = factor > 1 ? [factor, 'faster'] : [1 / factor, 'slower'];
  if (text < Math.max(1 + SMALLEST_CHANGE, machineDrift([method, baseline]))) return [];
  return [`${method.label} is ${text.toFixed(2)} times ${word} per step than ${baseline.label}.`];
}

const overlap = (a: Measure, b: Measure): boolean =>
  a.interval![0] <= b.interval![1] && b.interval![0] <= a.interval![1];

function memoryChart(title: string, methods: readonly TrialResult[]): Block {
  return {
    kind: 'chart',
    chart: {
      kind: 'bars',
      title: `${title}: peak memory`,
      names: methods.map(({ label }) => label),
      yTitle: 'GB',
      series: [
        {
          name: 'peak memory',
          values: methods.map(({ measures }) =>
            measures.peakMemory === undefined ? null : measures.peakMemory.max / 1e9,
          ),
        },
      ],
    },
  };
}
