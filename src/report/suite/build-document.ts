import type { Machine, SuiteResults, TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { outcomeText } from './cells.js';
import type { Block, ReportDocument, Section } from './document.js';
import { peaksOf } from './drift.js';
import { dynamicsBlocks, targetBlocks } from './dynamics-section.js';
import { expertBlocks } from './experts-section.js';
import { inferenceBlocks } from './inference-section.js';
import { methodBlocks } from './methods-section.js';
import { modelBlocks } from './models-section.js';
import { peftBlocks } from './peft-section.js';
import { powerSections } from './power-section.js';
import { reproducibilityBlocks } from './reproducibility-section.js';
import { scalingBlocks } from './scaling-section.js';
import { sweepBlocks, trainingBlocks } from './training-section.js';

/** The report of a suite, with a section for each benchmark that has results. */
export function buildDocument(results: SuiteResults): ReportDocument {
  const { benchmarks } = results.suite;
  const sections = benchmarks.flatMap(({ id, task, title: given }): Section[] => {
    const isUnique = benchmarks.filter(({ title }) => title === given).length === 1;
    const title = isUnique ? given : `${given}: ${id}`;
    const trials = results.trials
      .filter(({ benchmark }) => benchmark === id)
      .map((trial) => withDeviceName(trial, results.machine));
    return trials.length === 0 ? [] : [{ title, blocks: blocksOf(task, trials, results) }];
  });
  return {
    title: `Benchmark: ${results.suite.name}`,
    subtitle: results.suite.description,
    sections: [setup(results), ...sections, ...powerSections(results), method(results)],
  };
}

/** A trial whose device 'auto' is the only one of the machine that it can mean. */
function withDeviceName(trial: TrialResult, { devices }: Machine): TrialResult {
  const { spec } = trial;
  if (spec.device !== 'auto' || devices.length > 1 || 'rpc' in spec.options) return trial;
  return { ...trial, spec: { ...spec, device: devices[0]?.name ?? 'CPU' } };
}

function blocksOf(
  task: string,
  trials: readonly TrialResult[],
  { machine }: SuiteResults,
): Block[] {
  const varied = trials.some((trial) => Object.keys(trial.varied).length > 0);
  switch (task) {
    case 'inference':
      return [...(varied ? sweepBlocks(trials) : inferenceBlocks(trials)), ...expertBlocks(trials)];
    case 'reproducibility':
      return [...reproducibilityBlocks(trials, machine.memoryBytes), ...runBlocks(trials)];
    case 'methods':
      return [...methodBlocks(trials), ...runBlocks(trials)];
    case 'peft':
      return peftBlocks(trials);
    default:
      return [
        ...(varied ? sweepBlocks(trials) : [...trainingBlocks(trials), ...modelBlocks(trials)]),
        ...scalingBlocks(trials),
        ...runBlocks(trials),
      ];
  }
}

/** What every kind of training can have. */
const runBlocks = (trials: readonly TrialResult[]): Block[] => [
  ...targetBlocks(trials),
  ...dynamicsBlocks(trials),
  ...expertBlocks(trials),
];

function setup({ machine, versions, startedAt, finishedAt, trials }: SuiteResults): Section {
  const failures = trials.flatMap((trial) => {
    const text = outcomeText(trial);
    return text === undefined || trial.outcome.status === 'ok'
      ? []
      : [`${trial.key}: ${text}. ${trial.outcome.message}`];
  });
  return {
    title: 'Machine',
    blocks: [
      {
        kind: 'facts',
        facts: [
          ...machineFacts(machine),
          ['Versions', versionsText(versions)],
          ['Started', startedAt],
          ['Finished', finishedAt ?? 'not finished'],
        ],
      },
      ...noiseBlocks(trials),
      ...(failures.length > 0
        ? [{ kind: 'list' as const, title: 'Trials without values', items: failures }]
        : []),
    ],
  };
}

export const versionsText = (versions: SuiteResults['versions']): string =>
  Object.entries(versions)
    .map((entry) => entry.join(' '))
    .join('; ');

/** The hardware and the system, as facts. */
export function machineFacts(machine: Machine): (readonly [string, string])[] {
  const environment = Object.entries(machine.environment).map((entry) => entry.join('='));
  return [
    ['CPU', `${machine.cpu}, ${format.plural(machine.cores, 'core')}`],
    ['Instruction sets', machine.instructionSets.join(', ') || 'n/a'],
    ['Memory', format.bytes(machine.memoryBytes)],
    ...machine.devices.map(
      ({ name, description, memoryBytes, driver }) =>
        [name, `${description}, ${format.bytes(memoryBytes)}, driver ${driver ?? 'n/a'}`] as const,
    ),
    ['System', `${machine.os}, ${machine.platform}`],
    ...(environment.length === 0 ? [] : [['Environment', environment.join(' ')] as const]),
  ];
}

/** Differences of the matmul speed above this share are mentioned. */
const NOISE = 0.1;

/** A warning if the machine was not equally fast in all trials, or had other work. */
export function noiseBlocks(trials: readonly TrialResult[]): Block[] {
  const peaks = peaksOf(trials);
  const loads = trials.flatMap(({ noise }) => noise?.loadBefore ?? []);
  const items = [];
  if (peaks.length > 0) {
    const [low, high] = [Math.min(...peaks), Math.max(...peaks)];
    const range = `The matmul speed of the CPU was ${format.rate(low)} to ${format.rate(high)} GFLOP/s before and after the trials.`;
    const isNoisy = (high - low) / high > NOISE;
    items.push(
      isNoisy ? `${range} The machine was noisy: differences of this size mean nothing.` : range,
    );
  }
  if (loads.length > 0) {
    items.push(
      `The load average before the trials was ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`,
    );
  }
  return items.length === 0 ? [] : [{ kind: 'list', title: 'Noise', items }];
}

function method({ trials }: SuiteResults): Section {
  const extrapolated = trials.some(({ measures }) =>
    Object.values(measures).some(({ source }) => source === 'extrapolated'),
  );
  return {
    title: 'How it was measured',
    blocks: [
      {
        kind: 'list',
        items: [
          'Each trial ran in a separate process, after warm-up runs or steps that are not counted.',
          'Speeds count tokens, never padding. Memory is the resident memory of the process, with Node.js and the pages of the model file that were read.',
          'A value is the median of its measurements unless its row says otherwise. Intervals are 95 % bootstrap intervals.',
          ...(extrapolated
            ? ['≈ marks a time that is extrapolated from measured steps; it was not measured.']
            : []),
          'n/a: not measured, or this device does not report it. OOM: out of memory.',
        ],
      },
    ],
  };
}
