import type { ChatMessage } from '../config/chat-message.js';
import { isPresent } from '../config/parse.js';
import { LlamatuneError } from '../errors.js';

/** What a model was asked, with what is needed to verify its answer. */
export interface VerifierTask {
  /** Index of the prompt, for messages. */
  index: number;
  prompt: string | readonly ChatMessage[];
  /** The expected answer, number, output or pattern, depending on the verifier. */
  expected?: string | undefined;
  /** The row of the prompt; verifiers read further columns from it, such as the unit tests. */
  row?: unknown;
}

/** The result of a check: whether an answer passed, and how far it came. */
export interface Verdict {
  passed: boolean;
  /** From 0 to 1. */
  score: number;
  /** The last stage that the check reached: the one that failed, or 'compare' if it passed, 'compile' if it only compiles. */
  stage: 'extract' | 'compile' | 'run' | 'compare';
  /** Whether the code of the answer compiled; null if nothing was compiled. */
  compiled: boolean | null;
  /** What is wrong with the answer, such as the first lines of a compiler; '' if it passed. */
  detail: string;
}

/** Decides whether an answer is right. */
export interface Verifier {
  readonly name: string;
  /**
   * Whether a task has all that this verifier needs, to be called before anything is generated.
   *
   * @throws LlamatuneError VERIFIER_TASK_INVALID
   */
  check?(task: VerifierTask): void;
  /**
   * A wrong answer is a verdict, never an error.
   *
   * @throws LlamatuneError VERIFIER_TASK_INVALID; ABORTED
   */
  verify(output: string, task: VerifierTask, signal?: AbortSignal): Promise<Verdict>;
}

/** The verdict on an answer that passed. */
export const passed = (stage: Verdict['stage'], compiled: boolean | null = null): Verdict => ({
  passed: true,
  score: 1,
  stage,
  compiled,
  detail: '',
});

/** The verdict on an answer that failed in `stage`. */
export const failed = (
  stage: Verdict['stage'],
  detail: string,
  compiled: boolean | null = null,
): Verdict => ({ passed: false, score: 0, stage, compiled, detail });

/**
 * The expected answer of a task.
 *
 * @param verifier its name, for the message
 * @throws LlamatuneError VERIFIER_TASK_INVALID
 */
export function expectedOf(task: VerifierTask, verifier: string): string {
  const { expected } = task as { expected?: unknown };
  if (typeof expected === 'string') return expected;
  if (isPresent(expected)) throw taskInvalid(task, 'its expected answer is not a text');
  throw taskInvalid(task, `it has no expected answer, which the verifier '${verifier}' needs`);
}

export function taskInvalid(task: VerifierTask, reason: string): LlamatuneError {
  return new LlamatuneError(
    'VERIFIER_TASK_INVALID',
    `cannot verify answers to prompt ${task.index}: ${reason}`,
    { hint: 'complete the row of this prompt, or choose another verifier' },
  );
}

/** A text for messages, on one line and not longer than `length`. */
export function shortened(text: string, length = 200): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
