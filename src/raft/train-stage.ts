import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RaftConfig } from '../config/raft.js';
import { replaceFile } from '../files/atomic-file.js';
import { namesIn } from '../files/folders.js';
import { isCheckpointName } from '../files/names.js';
import { jsonLines } from '../files/results-files.js';
import type { FinetuneEvent, FinetuneResult } from '../finetune/events.js';
import { type FinetuneOptions, finetuneLora } from '../finetune/finetune.js';
import type { RaftTask } from './prompts.js';
import type { RaftSample } from './samples.js';
import { sharedOptions } from './shared-options.js';

/** What a cycle trains. */
export interface TrainRequest {
  /** The kept answers as rows of a dataset. */
  dataset: string;
  /** Folder of the adapter and of the checkpoints of the training. */
  folder: string;
  output: string;
  /** The adapter to continue. */
  initAdapter: string | null;
  learningRate: number;
  /** The default of sequenceLength. */
  longestRow: number;
  seed: number;
}

/** Writes the kept answers as rows that finetune() reads: a prompt and its completion. */
export function writeKept(
  path: string,
  kept: readonly RaftSample[],
  tasks: readonly RaftTask[],
): void {
  const rows = kept.map(({ index, sample, prompt, output, scores }) => {
    const { tools } = tasks[index]!;
    const completion =
      typeof prompt === 'string' ? output : [{ role: 'assistant', content: output }];
    return { index, sample, prompt, completion, ...(tools ? { tools } : {}), scores };
  });
  replaceFile(path, jsonLines(rows), 'kept samples');
}

/**
 * Trains an adapter on the kept answers, or continues a training that was interrupted. The checkpoints of the training are
 * removed when the adapter is complete.
 */
export async function trainStage(
  request: TrainRequest,
  config: RaftConfig,
  { signal, onEvent }: { signal: AbortSignal; onEvent: (event: FinetuneEvent) => void },
): Promise<FinetuneResult> {
  const run = finetuneLora({ ...trainOptions(request, config), signal });
  for await (const event of run) onEvent(event);
  const result = await run.result;
  for (const name of namesIn(request.folder)) {
    if (isCheckpointName(name)) rmSync(join(request.folder, name), { force: true });
  }
  return result;
}

function trainOptions(
  { dataset, folder, output, initAdapter, learningRate, longestRow, seed }: TrainRequest,
  config: RaftConfig,
): Omit<FinetuneOptions, 'mode'> {
  const { lora, optimizer, ...finetune } = config.finetune;
  // An adapter that is continued needs no initialization.
  const { init: _, ...settings } = lora ?? {};
  return {
    sequenceLength: longestRow,
    ...finetune,
    ...sharedOptions(config),
    ...{ dataset, output, seed, modelCard: false },
    lora: initAdapter === null ? { ...lora } : { ...settings, initAdapter },
    optimizer: { ...optimizer, learningRate },
    checkpoint: {
      directory: folder,
      ...{ everyEpoch: true, everyMinutes: 5, keepLast: 1 },
      resume: 'auto',
    },
  };
}
