import { createReadStream } from 'node:fs';
import { basename, extname } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { chatMessageSchema, type TemplateMessage } from '../config/chat-message.js';
import type { Prompt, PromptSource } from '../config/generate.js';
import { describeValue, problemsOf } from '../config/parse.js';
import { encodeChatPrompt, encodePrompt } from '../data/prompt.js';
import { readRows } from '../data/readers.js';
import type { TextModel } from '../data/tokenizer.js';
import { LlamatuneError } from '../errors.js';

/** A prompt that is not checked yet, and where it is from. */
export interface GivenPrompt {
  prompt: unknown;
  /** 'prompts.jsonl:17', or 'prompts[16]'. */
  where: string;
}

/**
 * The prompts of a file or of an iterable, one at a time.
 *
 * @throws LlamatuneError PROMPTS_NOT_READABLE, DATASET_EMPTY, DATASET_INVALID_ROW, and what the iterable throws.
 */
export async function* readPrompts(
  source: PromptSource,
): AsyncGenerator<GivenPrompt, void, undefined> {
  if (typeof source === 'string') {
    yield* readFile(source);
    return;
  }
  let index = 0;
  for await (const prompt of source) yield { prompt, where: `prompts[${index++}]` };
}

async function* readFile(path: string): AsyncGenerator<GivenPrompt, void, undefined> {
  const name = basename(path);
  if (extname(path).toLowerCase() !== '.txt') {
    for await (const { row, line } of readRows(path))
      yield { prompt: row, where: `${name}:${line}` };
    return;
  }
  let line = 0;
  for await (const text of textLines(path)) {
    line++;
    if (text.trim() !== '') yield { prompt: text, where: `${name}:${line}` };
  }
}

async function* textLines(path: string): AsyncGenerator<string, void, undefined> {
  const stream = createReadStream(path, 'utf8');
  try {
    yield* createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (cause) {
    throw new LlamatuneError(
      'PROMPTS_NOT_READABLE',
      `cannot read the prompts of ${path}: ${(cause as Error).message}`,
      { hint: 'check the path and its permissions', cause },
    );
  } finally {
    stream.destroy();
  }
}

const HINT = 'a prompt is a text, a list of messages, { prompt } or { messages, tools }';

/**
 * The tokens of a prompt, identical to those that training puts before an answer.
 *
 * @throws LlamatuneError PROMPT_INVALID, NO_CHAT_TEMPLATE, TEMPLATE_FAILED.
 */
export function encodeGiven(
  model: TextModel,
  { prompt, where }: GivenPrompt,
  defaults: { tools?: readonly unknown[] | undefined; chatTemplate?: string | undefined },
): Int32Array {
  const given = prompt as Prompt;
  if (typeof given === 'string') return encodePrompt(model, given);
  if (Array.isArray(given)) return encodeChatPrompt(model, checkMessages(given, where), defaults);
  if (typeof given !== 'object' || given === null) {
    throw invalidPrompt(where, `expected a prompt but received ${describeValue(given)}`);
  }
  const { prompt: text, messages, tools } = given as Record<string, unknown>;
  if (messages !== undefined && messages !== null) {
    const own = Array.isArray(tools) ? { ...defaults, tools } : defaults;
    return encodeChatPrompt(model, checkMessages(messages, where), own);
  }
  if (typeof text === 'string') return encodePrompt(model, text);
  const keys = Object.keys(given).slice(0, 6).join(', ');
  const fields = keys === '' ? 'no fields' : `the fields ${keys}`;
  throw invalidPrompt(where, `expected prompt or messages but received ${fields}`);
}

const messagesSchema = z.array(chatMessageSchema).min(1);

function checkMessages(value: unknown, where: string): TemplateMessage[] {
  const parsed = messagesSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue, messagesSchema));
  const text = problems.map(({ path, message }) => `messages.${path}: ${message}`).join('; ');
  throw invalidPrompt(where, text);
}

function invalidPrompt(where: string, message: string): LlamatuneError {
  return new LlamatuneError('PROMPT_INVALID', `${where}: ${message}`, { hint: HINT });
}
