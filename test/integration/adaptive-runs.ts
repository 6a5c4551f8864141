// Runs of the tests of adaptive training.
import { fileURLToPath } from 'node:url';
import { beforeAll, expect } from 'vitest';
import {
  type AdaptiveDecision,
  type AdaptiveMetrics,
  type FinetuneEvent,
  type FinetuneOptions,
  type FinetuneResult,
  finetune,
  type InterventionEvent,
  LlamatuneError,
} from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { tinyModel } from './tiny-model.js';

export const rows = Array.from({ length: 16 }, (_, i) => ({
  prompt: `${i}?`,
  completion: ` ${i + 1}`,
}));
/** A folder for each test, and runs of a model that trains in milliseconds, with 4 steps per epoch. */
export function adaptiveSetup() {
  const at = folderPerTest();
  let model: string;
  beforeAll(async () => {
    model = await tinyModel();
  });
  const quick = (more: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
    ...{ model, dataset: rows, output: at('adapter.gguf'), epochs: 10, sequenceLength: 32 },
    ...{ batchSize: 4, threads: 1, optimizer: { learningRate: 5e-3 } },
    ...{ modelCard: false, runLog: false },
    ...more,
  });
  return { at, quick };
}

export interface Outcome {
  events: FinetuneEvent[];
  result: FinetuneResult;
}

export async function outcomeOf(options: FinetuneOptions): Promise<Outcome> {
  const run = finetune(options);
  const events: FinetuneEvent[] = [];
  for await (const event of run) events.push(event);
  return { events, result: await run.result };
}

export async function failure(work: Promise<unknown>): Promise<LlamatuneError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LlamatuneError);
  return error as LlamatuneError;
}

export const interventions = ({ events }: Outcome): InterventionEvent[] =>
  events.filter((event) => event.type === 'intervention');
export const kinds = (outcome: Outcome): string[] => interventions(outcome).map(({ kind }) => kind);
export const losses = (outcome: Outcome): number[] => [...outcome.result.losses];

/** Calls `decide` with each metrics and records them. */
export function recording(
  decide: (metrics: AdaptiveMetrics) => AdaptiveDecision | undefined = () => {},
) {
  const seen: AdaptiveMetrics[] = [];
  return {
    seen,
    controller: (metrics: AdaptiveMetrics) => {
      seen.push(metrics);
      return decide(metrics);
    },
  };
}

const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The model and the rows of the demo. */
export const demo = (output: string, more: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
  ...{ model: inRepository('models/tiny-chat-q8_0.gguf'), output },
  dataset: inRepository('examples/demo/data/train.jsonl'),
  validation: { dataset: inRepository('examples/demo/data/validation.jsonl') },
  ...{
    maxSteps: 40,
    sequenceLength: 128,
    batchSize: 8,
    modelCard: false,
    runLog: false,
    threads: 1,
  },
  lora: { rank: 16, alpha: 32 },
  optimizer: { learningRate: 4e-3 },
  scheduler: { type: 'cosine', warmupRatio: 0.1 },
  ...more,
});
/** A learning rate that is a hundred times too high, in a run that it damages soon. */
export const tooFast: Partial<FinetuneOptions> = {
  ...{ maxSteps: 16, optimizer: { learningRate: 0.4 } },
  scheduler: { type: 'cosine', warmupSteps: 4 },
};
