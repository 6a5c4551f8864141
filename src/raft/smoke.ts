import { join } from 'node:path';
import { SUITES } from '../bench/suite/suites.js';
import type { RaftPrompt } from '../config/raft.js';
import { Run, throwIfAborted } from '../contract/run.js';
import { withTemporaryFolder } from '../files/temporary-folder.js';
import type { RaftEvent } from './events.js';
import { type RaftOptions, raft } from './raft.js';
import type { RaftSummary } from './summary.js';

/** The result of `smokeTest()`. */
export interface SmokeTestResult {
  /** Whether pass@1 rose beyond chance. */
  passed: boolean;
  summary: RaftSummary;
}

export interface SmokeTestOptions {
  /** Folder to keep the samples, the adapters and the report in. Default: a temporary folder, which is removed. */
  output?: string | undefined;
  /** Continue the test in the folder. Default: false. */
  resume?: boolean | undefined;
  /** Default: 42. */
  seed?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Runs the whole pipeline on the shipped model: it generates, verifies, filters, trains and evaluates in three cycles of
 * raft(). The task is which of two digits is larger or smaller; a quarter of the pairs is held out for the evaluation. The
 * base model is right in about half of its answers.
 *
 * The run's errors: those of raft().
 */
export function smokeTest(options: SmokeTestOptions = {}): Run<RaftEvent, SmokeTestResult> {
  return new Run<RaftEvent, SmokeTestResult>(
    async ({ emit, signal }) => {
      const test = async (output: string): Promise<SmokeTestResult> => {
        const { resume, seed } = options;
        const run = raft({ ...smokeOptions(output), resume, seed, signal });
        for await (const event of run) emit(event);
        const summary = await run.result;
        return { passed: summary.change?.verdict === 'better', summary };
      };
      if (options.output !== undefined) return test(options.output);
      return withTemporaryFolder(async (folder) => {
        try {
          return await test(join(folder, 'smoke'));
        } catch (error) {
          throwIfAborted(signal); // the error of raft() says that the folder is kept
          throw error;
        }
      });
    },
    { signal: options.signal },
  );
}

function smokeOptions(output: string): RaftOptions {
  const pairs = comparisons();
  return {
    model: SUITES.smoke.models[0],
    prompts: pairs.filter(({ heldOut }) => !heldOut).map(({ prompt }) => prompt),
    evaluation: {
      prompts: pairs.filter(({ heldOut }) => heldOut).map(({ prompt }) => prompt),
      samples: 16,
    },
    verifier: 'numeric',
    output,
    cycles: 3,
    samples: 8,
    filter: { maxPerPrompt: 4 },
    // the whole distribution of the model
    generation: { temperature: 1, topK: 0, topP: 1, minP: 0, maxTokens: 16 },
    finetune: {
      epochs: 2,
      batchSize: 16,
      lora: { rank: 16, alpha: 32 },
      optimizer: { learningRate: 2e-3 },
    },
    learningRateDecay: 0.7,
  };
}

/** Questions about every two different digits, in both orders. Both orders of a pair are held out together. */
function comparisons(): { prompt: RaftPrompt; heldOut: boolean }[] {
  const digits = Array.from({ length: 10 }, (_, digit) => digit);
  return digits.flatMap((a) =>
    digits
      .filter((b) => b !== a)
      .flatMap((b) =>
        [Math.max, Math.min].map((pick) => ({
          prompt: question(a, b, pick === Math.max ? 'larger' : 'smaller', pick(a, b)),
          heldOut: (7 * Math.min(a, b) + 3 * Math.max(a, b)) % 4 === 0,
        })),
      ),
  );
}

const question = (a: number, b: number, word: string, expected: number): RaftPrompt => ({
  messages: [
    { role: 'system', content: 'Answer with one word.' },
    { role: 'user', content: `Which is ${word}, ${a} or ${b}?` },
  ],
  expected,
});
