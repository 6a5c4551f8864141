import { existsSync } from 'node:fs';
import type { Machine } from '../bench/suite/results.js';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import {
  differentNames,
  HOW_TO_CONTINUE,
  indentedJson,
  readResultsFile,
  refuseExisting,
  runMismatch,
} from '../files/results-files.js';
import type { SourceState } from '../hardware/sampler.js';
import type { FilterCounts } from './filter.js';
import { raftFiles, raftNames } from './folder.js';
import type { HardwareUse } from './hardware-log.js';
import type { RaftChange, RaftMetrics } from './metrics.js';
import { summarySchema } from './summary-schema.js';

/** A part of a run that is continued if it was interrupted. */
export interface RaftStage {
  /** How often it was started. Time, energy and speed are those of the last time. */
  attempts: number;
  finished: boolean;
  /** null until it has finished. */
  use: HardwareUse | null;
  tokensPerSecond: number | null;
}

/** Answers that were generated and verified. */
export interface SampledStage extends RaftStage {
  /** null until it has finished. */
  metrics: RaftMetrics | null;
}

/** The training of a cycle. */
export interface TrainingStage extends RaftStage {
  /** Mean loss per target token of the last epoch; null before, and without kept answers. */
  loss: number | null;
  /** 0 if the cycle kept no answers, so that nothing was trained. */
  steps: number;
  learningRate: number;
  peakMemoryBytes: number | null;
}

export interface RaftCycle {
  /** From 1. */
  cycle: number;
  /** Answers of the model before the training of this cycle. */
  samples: SampledStage;
  /** null until the answers are verified. */
  filter: FilterCounts | null;
  training: TrainingStage;
  /** Answers after the training; null if the cycle has no evaluation. */
  evaluation: SampledStage | null;
}

/** A set of prompts. */
export interface PromptsUsed {
  /** The name of a file, 'cpp', or 'memory'. */
  name: string;
  count: number;
  /** SHA-256 of the prompts. */
  hash: string;
}

/** The content of summary.json: the state of a run, and its result once it has finished. */
export interface RaftSummary {
  format: 'llamatune-raft';
  version: number;
  /** The options that decide the results, with their defaults. */
  options: Record<string, unknown>;
  model: { path: string; name: string; description: string; parameters: number; bytes: number };
  verifier: string;
  prompts: PromptsUsed;
  /** The prompts of baseline, evaluations and final; null if they are those of the training. */
  evaluationPrompts: PromptsUsed | null;
  machine: Machine;
  versions: Record<string, string>;
  /** The sources of readings that this machine has. */
  sensors: SourceState[];
  startedAt: string;
  /** null while the run is not finished. */
  finishedAt: string | null;
  baseline: SampledStage;
  cycles: RaftCycle[];
  final: SampledStage;
  /** From baseline to final; null while the run is not finished. */
  change: RaftChange | null;
  /** The adapter of the last cycle that trained; null if none has. */
  adapter: string | null;
}

const newStage = (): RaftStage => ({
  attempts: 0,
  finished: false,
  use: null,
  tokensPerSecond: null,
});
export const newSampledStage = (): SampledStage => ({ ...newStage(), metrics: null });
export const newCycle = (cycle: number, evaluates: boolean, learningRate: number): RaftCycle => ({
  cycle,
  samples: newSampledStage(),
  filter: null,
  training: { ...newStage(), loss: null, steps: 0, learningRate, peakMemoryBytes: null },
  evaluation: evaluates ? newSampledStage() : null,
});

/** Writes summary.json; it is always complete, also between two stages. */
export function writeSummary(folder: string, summary: RaftSummary): void {
  replaceFile(raftFiles(folder).summary, indentedJson(summary), 'summary');
}

/**
 * Reads the summary.json of a run.
 *
 * @throws LlamatuneError RESULTS_INVALID
 */
export const readRaftSummary = (path: string): RaftSummary =>
  readResultsFile(
    path,
    summarySchema,
    'pass a summary.json that llamatune raft of this version wrote',
  ) as unknown as RaftSummary;

/** What a run that continues may have more of: its results are those of a run that had as much from the start. */
export interface Budget {
  cycles: number;
  /** Answers per prompt in evaluations. */
  evaluationSamples: number;
}

/** The budget in recorded options. */
export function budgetOf(options: Readonly<Record<string, unknown>>): Budget {
  const { cycles, samples, evaluation } = options as {
    cycles: number;
    samples: number;
    evaluation: { samples?: number };
  };
  return { cycles, evaluationSamples: evaluation.samples ?? samples };
}

/** What identifies a run: another value of one of these is another run. */
type Identity = Pick<RaftSummary, 'options' | 'verifier' | 'prompts' | 'evaluationPrompts'>;

/**
 * The summary of the run to continue; null if the folder has none. Its budget may be lower than the wanted one.
 *
 * @throws LlamatuneError RESULTS_EXIST unless `resume`, RESULTS_INVALID, and RESULTS_MISMATCH if it is another run
 */
export function summaryToContinue(
  folder: string,
  resume: boolean,
  identity: Identity & { model: Pick<RaftSummary['model'], 'bytes'> },
): RaftSummary | null {
  const path = raftFiles(folder).summary;
  if (!existsSync(path)) {
    refuseExisting(folder, raftNames(folder));
    return null;
  }
  if (!resume) {
    throw new LlamatuneError('RESULTS_EXIST', `there is already a run in '${folder}'`, {
      hint: HOW_TO_CONTINUE,
    });
  }
  const found = readRaftSummary(path);
  const different = differences(found, identity);
  if (different.length > 0) throw runMismatch(folder, different);
  return found;
}

function differences(
  found: RaftSummary,
  wanted: Identity & { model: Pick<RaftSummary['model'], 'bytes'> },
): string[] {
  return [
    ...new Set([
      ...differentNames(fixedOptions(found.options), fixedOptions(wanted.options)),
      ...lowered(budgetOf(found.options), budgetOf(wanted.options)),
      ...differentNames(identityOf(found), identityOf(wanted)),
    ]),
  ];
}

const identityOf = ({
  verifier,
  prompts,
  evaluationPrompts,
  model,
}: Omit<Identity, 'options'> & { model: Pick<RaftSummary['model'], 'bytes'> }) => ({
  ...{ verifier, prompts, 'evaluation.prompts': evaluationPrompts, model: model.bytes },
});

/** The options that cannot be changed when a run continues, with those of `evaluation` by their full names. */
function fixedOptions({ cycles: _, evaluation, ...others }: RaftSummary['options']) {
  const { samples: __, everyCycle } = evaluation as { samples?: number; everyCycle?: boolean };
  return { ...others, 'evaluation.everyCycle': everyCycle };
}

/** The parts of the budget that are lower than before. */
const lowered = (before: Budget, after: Budget): string[] => [
  ...(after.cycles < before.cycles ? ['cycles'] : []),
  ...(after.evaluationSamples < before.evaluationSamples ? ['evaluation.samples'] : []),
];
