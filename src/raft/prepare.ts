import { basename } from 'node:path';
import { placementShape } from '../config/fields.js';
import { finetuneSchema } from '../config/finetune.js';
import { configError, parseConfig } from '../config/parse.js';
import {
  areBuiltIn,
  FINETUNE_NEEDS,
  type RaftConfig,
  type RaftPromptSource,
} from '../config/raft.js';
import type { VerifierOptions } from '../config/verifier.js';
import { bytesOfModel } from '../files/run-files.js';
import { useModel } from '../model/use-model.js';
import { createVerifier } from '../verify/create-verifier.js';
import type { VerifyFunction } from '../verify/user-function.js';
import type { Verifier } from '../verify/verifier.js';
import { cppPrompts, type RaftTask, type RaftTasks, readTasks } from './prompts.js';
import type { PromptsUsed, RaftSummary } from './summary.js';

/** What a run needs before its first stage. */
export interface PreparedRun {
  tasks: RaftTask[];
  /** The prompts of the training if the evaluation has no others. */
  evaluationTasks: RaftTask[];
  verifier: Verifier;
  /** Learning rate of the first cycle. */
  learningRate: number;
  contextLength: number;
  identity: Pick<RaftSummary, 'options' | 'model' | 'verifier' | 'prompts' | 'evaluationPrompts'>;
}

/** @throws LlamatuneError CONFIG_INVALID, PROMPT_INVALID, PROMPTS_EMPTY, VERIFIER_TASK_INVALID, and those of loading a model */
export async function prepareRun(config: RaftConfig, signal: AbortSignal): Promise<PreparedRun> {
  const { info, path } = await useModel(
    config.model,
    // The file is mapped into memory, so only pages are read that the stages read anyway.
    { device: 'cpu', gpuLayers: 0, placement: {}, rpc: [], purpose: 'train', signal },
    async ({ info, path }) => ({ info, path }),
  );
  const asChat = info.chatTemplate !== null || config.chatTemplate !== undefined;
  const prompts = await tasksOf(config.prompts, asChat);
  const heldOut = config.evaluation.prompts;
  const evaluation = heldOut === undefined ? prompts : await tasksOf(heldOut, asChat);
  checkBalance(config, prompts.tasks);
  const verifier = await verifierOf(config);
  const evaluationTasks = evaluation.tasks;
  for (const task of new Set([...prompts.tasks, ...evaluationTasks])) verifier.check?.(task);
  return {
    tasks: prompts.tasks,
    evaluationTasks,
    verifier,
    learningRate: learningRateOf(config),
    contextLength: info.contextLength,
    identity: {
      options: recordedOptions(config),
      model: {
        path,
        name: info.name || basename(path),
        description: info.description,
        parameters: info.parameters,
        bytes: bytesOfModel(path),
      },
      verifier: verifier.name,
      prompts: usedPrompts(prompts, config.prompts),
      evaluationPrompts: heldOut === undefined ? null : usedPrompts(evaluation, heldOut),
    },
  };
}

const tasksOf = (source: RaftPromptSource, asChat: boolean): Promise<RaftTasks> =>
  readTasks(areBuiltIn(source) ? cppPrompts(asChat) : source, nameOf(source));

const nameOf = (source: RaftPromptSource): string =>
  typeof source === 'string' ? basename(source) : 'memory';

const usedPrompts = ({ tasks, hash }: RaftTasks, source: RaftPromptSource): PromptsUsed => ({
  name: nameOf(source),
  count: tasks.length,
  hash,
});

/** Refuses a column that no prompt has. */
function checkBalance({ filter }: RaftConfig, tasks: readonly RaftTask[]): void {
  const { balance } = filter;
  if (balance === undefined || tasks.some(({ row }) => row[balance] !== undefined)) return;
  const message = `expected a column of the prompts but received '${balance}', which none of them has`;
  throw configError([{ path: 'filter.balance', message }], 'raft options');
}

/** The schema allows no verifier with the built-in prompts only. */
function verifierOf({ verifier }: RaftConfig): Promise<Verifier> {
  if (verifier === undefined) return createVerifier({ type: 'run', language: 'cpp' });
  const given = typeof verifier === 'string' ? { type: verifier } : verifier;
  return createVerifier(given as VerifierOptions | VerifyFunction);
}

/** The learning rate of `finetune`, or its default. */
function learningRateOf({ finetune }: RaftConfig): number {
  return parseConfig(finetuneSchema, { ...finetune, ...FINETUNE_NEEDS }).optimizer.learningRate;
}

/** Options that may differ when a run continues: they say where and how fast it runs, or are compared in another way. */
const NOT_RECORDED = new Set<string>([
  ...['model', 'prompts', 'output', 'resume', 'signal', 'threads', 'verifyParallel'],
  ...Object.keys(placementShape()),
]);

function recordedOptions(config: RaftConfig): Record<string, unknown> {
  const { evaluation, verifier, ...others } = config;
  const { prompts: _, ...ofEvaluation } = evaluation;
  const kept = Object.entries(others).filter(([name]) => !NOT_RECORDED.has(name));
  const isFunction = typeof verifier === 'function';
  const recorded = {
    ...Object.fromEntries(kept),
    evaluation: ofEvaluation,
    ...(verifier === undefined || isFunction ? {} : { verifier }),
  };
  // The form after writing and reading JSON, to compare it with a summary.
  return JSON.parse(JSON.stringify(recorded));
}
