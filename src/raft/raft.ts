import { parseConfig } from '../config/parse.js';
import { areBuiltIn, type RaftInput, raftSchema } from '../config/raft.js';
import type { VerifierOptions } from '../config/verifier.js';
import { Run } from '../contract/run.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import type { InputFile, OutputFile } from '../files/check.js';
import { useFiles } from '../files/lock.js';
import { abortedRun } from '../files/results-files.js';
import { modelFile } from '../files/run-files.js';
import type { VerifyFunction } from '../verify/user-function.js';
import type { RaftEvent } from './events.js';
import { prepareRun } from './prepare.js';
import { RaftRunner } from './runner.js';
import type { RaftSummary } from './summary.js';

/** Options of `raft()`. Each option is documented in docs/configuration.md. */
export type RaftOptions = Omit<RaftInput, 'verifier'> & {
  verifier?: VerifierOptions | VerifierOptions['type'] | VerifyFunction | undefined;
};

/** A running `raft()`: an async iterable of events, with the content of summary.json as a promise. */
export type RaftRun = Run<RaftEvent, RaftSummary>;

/**
 * Reward-ranked fine-tuning (RAFT: Dong et al. 2023, arXiv 2304.06767), with a verifier as the reward. Each cycle generates
 * several answers to every prompt, verifies them, and trains a LoRA adapter on the ones that pass; the next cycle samples
 * from the model with this adapter. Before the first and after the last cycle the model is evaluated on the same prompts.
 *
 * Every stage keeps its results in the output folder. A run that was interrupted, in whatever way, continues with `resume`
 * where it stopped, and its result is that of an uninterrupted one.
 *
 * The run's errors: CONFIG_INVALID (all problems at once), PROMPT_INVALID, PROMPTS_EMPTY, DATASET_…, VERIFIER_…,
 * RESULTS_EXIST, RESULTS_INVALID, RESULTS_MISMATCH, OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE, ABORTED, and those of generate() and
 * finetuneLora().
 *
 * @example
 * const run = raft({ model: 'base.gguf', prompts: 'prompts.jsonl', verifier: 'numeric', output: 'raft' });
 * const { baseline, final, change } = await run.result;
 */
export function raft(options: RaftOptions): RaftRun {
  return new Run<RaftEvent, RaftSummary>(
    async ({ emit, signal }) => {
      const config = withChatTemplate(parseConfig(raftSchema, options, 'raft options'));
      const outputs: OutputFile[] = [{ field: 'output', path: config.output, kind: 'folder' }];
      const files = [
        promptFile('prompts', config.prompts),
        promptFile('evaluation.prompts', config.evaluation.prompts),
        adapterFile(config.adapter),
      ];
      const inputs = [...modelFile(config.model), ...files.flat()];
      return useFiles({ inputs, outputs }, async () => {
        const prepared = await prepareRun(config, signal);
        const runner = new RaftRunner(config, prepared, { emit, signal });
        return runner.run().catch((error: unknown) => {
          throw signal.aborted ? abortedRun(config.output, error) : error;
        });
      });
    },
    { signal: options?.signal, waitsForReaders: true },
  );
}

function promptFile(field: string, prompts: unknown): InputFile[] {
  const isFile = typeof prompts === 'string' && !areBuiltIn(prompts);
  return isFile ? [{ field, path: prompts, kind: 'dataset' }] : [];
}

const adapterFile = (path: string | undefined): InputFile[] =>
  path === undefined ? [] : [{ field: 'adapter', path, kind: 'adapter' }];
