import { createHash } from 'node:crypto';
import type { ChatMessage } from '../config/chat-message.js';
import type { PromptSource } from '../config/generate.js';
import { isPresent } from '../config/parse.js';
import type { RaftPrompt, RaftPromptSource } from '../config/raft.js';
import { LlamatuneError, reasonOf } from '../errors.js';
import {
  checkedMessages,
  type GivenPrompt,
  invalidPrompt,
  readPrompts,
} from '../generate/read-prompts.js';
import type { VerifierTask } from '../verify/verifier.js';
import { CPP_PROMPTS } from './cpp-prompts.js';

/** A prompt with what is needed to verify its answers. */
export interface RaftTask extends VerifierTask {
  prompt: string | readonly ChatMessage[];
  /** Tool descriptions for the chat template. */
  tools?: readonly unknown[] | string | null;
  row: Record<string, unknown>;
}

/** The prompts of a run, and a hash of them. */
export interface RaftTasks {
  tasks: RaftTask[];
  hash: string;
}

/**
 * Reads prompts and their expected answers.
 *
 * @throws LlamatuneError PROMPT_INVALID, PROMPTS_EMPTY, and what the reader of the file or the iterable throws
 */
export async function readTasks(source: RaftPromptSource, name: string): Promise<RaftTasks> {
  const tasks: RaftTask[] = [];
  for await (const given of readPrompts(source as PromptSource)) {
    tasks.push(taskOf(given, tasks.length));
  }
  if (tasks.length === 0) {
    throw new LlamatuneError('PROMPTS_EMPTY', `there are no prompts in ${name}`, {
      hint: 'give at least one prompt',
    });
  }
  const hash = createHash('sha256').update(JSON.stringify(tasks)).digest('hex');
  return { tasks, hash };
}

/**
 * The built-in C++ tasks.
 *
 * @param asChat as a user's message, for a model with a chat template; otherwise as a text to continue
 */
export const cppPrompts = (asChat: boolean): RaftPrompt[] =>
  CPP_PROMPTS.map(({ prompt, ...row }) =>
    asChat
      ? { messages: [{ role: 'user', content: prompt }], ...row }
      : { prompt: `${prompt}\n\n`, ...row },
  );

function taskOf({ prompt: given, where }: GivenPrompt, index: number): RaftTask {
  const row = rowOf(given, where);
  const { tools } = row as Pick<RaftTask, 'tools'>;
  const withTools = isPresent(tools) ? { tools } : {};
  const inner = isPresent(row.messages) ? row.messages : row.prompt;
  if (typeof inner === 'string') {
    return { index, prompt: inner, ...expectedOf([row.expected, row.completion], where), row };
  }
  if (!isPresent(inner)) {
    const fields = Object.keys(row).slice(0, 6).join(', ') || 'none';
    throw invalid(where, `expected prompt or messages but received the fields ${fields}`);
  }
  const name = isPresent(row.messages) ? 'messages' : 'prompt';
  const messages = checkedMessages(inner, name, where);
  const last = messages.at(-1)!;
  const isAnswered = messages.length > 1 && last.role === 'assistant';
  const answers = [row.expected, lastContent(row.completion), isAnswered ? last.content : null];
  return {
    index,
    prompt: isAnswered ? messages.slice(0, -1) : messages,
    ...withTools,
    ...expectedOf(answers, where),
    row,
  };
}

function rowOf(given: unknown, where: string): Record<string, unknown> {
  if (typeof given === 'string') return { prompt: given };
  if (Array.isArray(given)) return { messages: given };
  if (typeof given === 'object' && given !== null) {
    checkJson(given, where);
    return given as Record<string, unknown>;
  }
  throw invalid(where, `expected a prompt but received ${String(given)}`);
}

/** Rows are identified by their JSON. */
function checkJson(row: object, where: string): void {
  try {
    JSON.stringify(row);
  } catch (cause) {
    throw invalid(where, `it cannot be written as JSON: ${reasonOf(cause).split('\n', 1)[0]}`);
  }
}

/** The text of a completion, which is a text or a list of messages. */
function lastContent(completion: unknown): unknown {
  if (!Array.isArray(completion)) return completion;
  return (completion.at(-1) as { content?: unknown } | undefined)?.content;
}

/** The first expected answer that is present. */
function expectedOf(candidates: readonly unknown[], where: string): { expected?: string } {
  const found = candidates.find(isPresent);
  if (found === undefined) return {};
  if (typeof found === 'string' || typeof found === 'number') return { expected: String(found) };
  throw invalid(where, 'expected a text or a number as the expected answer');
}

const invalid = (where: string, message: string): LlamatuneError =>
  invalidPrompt(
    where,
    message,
    'a prompt is a text, a list of messages, { prompt, expected } or { messages, expected }',
  );
