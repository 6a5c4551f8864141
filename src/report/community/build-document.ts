import type { SuiteResults, TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { machineFacts, versionsText } from '../suite/build-document.js';
import type { Block, ReportDocument, Section } from '../suite/document.js';
import { machineDrift } from '../suite/drift.js';
import { inferenceBlocks } from '../suite/inference-section.js';
import { groupBy, modelName } from '../suite/names.js';
import { trainingBlocks } from '../suite/training-section.js';
import { type ComparedTrial, observations } from './observations.js';

/** The results of one machine, under the name that its columns have. */
export interface NamedResults {
  name: string;
  results: SuiteResults;
}

/** Tables with several machines: one per model and settings, with machines and weight types as columns or rows. */
export function buildCommunityDocument(machines: readonly NamedResults[]): ReportDocument {
  const trials = machines.flatMap(trialsOf);
  const ofKind = (kind: TrialResult['spec']['kind']) =>
    trials.filter(({ spec, task }) => spec.kind === kind && task === kind);
  return {
    title: 'Benchmarks across devices',
    subtitle: format.plural(machines.length, 'submission'),
    sections: [
      section('Inference performance', ofKind('inference'), inferenceBlocks, 'generates'),
      section('Fine-tuning time', ofKind('training'), trainingBlocks, 'trains'),
      hardware(machines),
      method(),
    ].filter(({ blocks }) => blocks.length > 0),
  };
}

/** A trial whose device is named after its machine. */
type NamedTrial = ComparedTrial & { task: string };

/** The trials of a machine that are compared: without varied options, which are sweeps of one machine. */
function trialsOf({ name, results }: NamedResults): NamedTrial[] {
  const tasks = new Map(results.suite.benchmarks.map(({ id, task }) => [id, task]));
  const compared = results.trials.filter(({ varied }) => Object.keys(varied).length === 0);
  const drift = machineDrift(results.trials);
  const devices = new Set(compared.map(({ spec }) => spec.device));
  return compared.map((trial) => ({
    ...trial,
    task: tasks.get(trial.benchmark) ?? '',
    drift,
    spec: {
      ...trial.spec,
      device: devices.size === 1 ? name : `${name} ${trial.spec.device}`,
    },
  }));
}

/** One table per model and settings, because only equal settings can be compared. */
function section(
  title: string,
  trials: readonly NamedTrial[],
  blocksOf: (trials: readonly TrialResult[]) => Block[],
  verb: string,
): Section {
  const groups = groupBy(trials, (trial) => `${modelName(trial)}: ${settingsText(trial)}`);
  return {
    title,
    blocks: groups.flatMap(([, group]) => {
      const sorted = [...group].sort((a, b) => compareText(columnKey(a), columnKey(b)));
      return [
        ...blocksOf(sorted),
        { kind: 'text' as const, text: settingsText(group[0]!) },
        ...observations(sorted, verb),
      ];
    }),
  };
}

const columnKey = ({ spec }: TrialResult): string => `${spec.device} ${spec.weightType}`;
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What has to be equal in trials that are compared, apart from the model. */
function settingsText({ spec }: TrialResult): string {
  const options = Object.entries(spec.options)
    .sort(([a], [b]) => compareText(a, b))
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `Settings: ${[dataText(spec), ...options].join(', ')}.`;
}

function dataText(spec: TrialResult['spec']): string {
  if (spec.kind === 'inference') return `prompt '${spec.prompt}'`;
  return spec.kind === 'peft' || spec.dataset === null
    ? 'random tokens'
    : `dataset ${spec.dataset}, ${format.plural(spec.epochs, 'epoch')}`;
}

function hardware(machines: readonly NamedResults[]): Section {
  return {
    title: 'Hardware specifications',
    blocks: machines.map(({ name, results: { machine, versions, startedAt } }) => ({
      kind: 'facts',
      title: name,
      facts: [
        ...machineFacts(machine),
        ['Versions', versionsText(versions)],
        ['Measured', startedAt.slice(0, 10)],
      ],
    })),
  };
}

const method = (): Section => ({
  title: 'How it was measured',
  blocks: [
    {
      kind: 'list',
      items: [
        'Every machine measured itself with llamatune bench --suite. Its folder has the exact commands, the versions, every sample and the raw logs.',
        'A table compares trials with the same model and settings only. Peak, average and low are of all runs; other speeds are medians.',
        'An observation is written only where the 95 % bootstrap intervals do not overlap and the difference is larger than the one in the speed of the machine itself during the trials.',
        'OOM: out of memory. timeout: longer than the limit of the suite. n/a: not measured. ≈: extrapolated from measured steps.',
      ],
    },
  ],
});
