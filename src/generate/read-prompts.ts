import { basename, extname } from 'node:path';
import { z } from 'zod';
import { chatMessageSchema } from '../config/chat-message.js';
import { toolsSchema } from '../config/dataset-row.js';
import type { PromptSource } from '../config/generate.js';
import { describeValue, isPresent, problemsOf } from '../config/parse.js';
import { readLines, type TextLine } from '../data/lines.js';
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
 * @throws LlamatuneError PROMPTS_NOT_READABLE, DATASET_ENCODING, DATASET_EMPTY, DATASET_INVALID_ROW, and what the iterable throws.
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
  for await (const { text, line } of textLines(path)) {
    if (text.trim() !== '') yield { prompt: text.replace(/\r$/, ''), where: `${name}:${line}` };
  }
}

async function* textLines(path: string): AsyncGenerator<TextLine, void, undefined> {
  try {
    yield* readLines(path);
  } catch (error) {
    if (!(error instanceof LlamatuneError) || error.code === 'DATASET_ENCODING') throw error;
    const cause = (error.cause ?? error) as Error;
    throw new LlamatuneError(
      'PROMPTS_NOT_READABLE',
      `cannot read the prompts of ${path}: ${cause.message}`,
      { hint: 'check the path and its permissions', cause },
    );
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
  if (typeof prompt === 'string') return encodeText(model, { prompt, where }, defaults.tools);
  if (Array.isArray(prompt)) {
    return encodeChatPrompt(model, checkedMessages(prompt, 'messages', where), defaults);
  }
  if (typeof prompt !== 'object' || prompt === null) {
    throw invalidPrompt(where, `expected a prompt but received ${describeValue(prompt)}`);
  }
  const { prompt: inner, messages, tools } = prompt as Record<string, unknown>;
  if (typeof inner === 'string' && !isPresent(messages)) {
    const given = checked(toolsSchema, tools, 'tools', where) ?? defaults.tools;
    return encodeText(model, { prompt: inner, where }, given);
  }
  const conversation = isPresent(messages) ? messages : inner;
  if (!isPresent(conversation)) {
    const keys = Object.keys(prompt).slice(0, 6).join(', ');
    const fields = keys === '' ? 'no fields' : `the fields ${keys}`;
    throw invalidPrompt(where, `expected prompt or messages but received ${fields}`);
  }
  const name = isPresent(messages) ? 'messages' : 'prompt';
  return encodeChatPrompt(model, checkedMessages(conversation, name, where), {
    ...defaults,
    tools: checked(toolsSchema, tools, 'tools', where) ?? defaults.tools,
  });
}

function encodeText(
  model: TextModel,
  { prompt, where }: GivenPrompt & { prompt: string },
  tools: readonly unknown[] | undefined,
): Int32Array {
  if (tools === undefined || tools.length === 0) return encodePrompt(model, prompt);
  throw invalidPrompt(where, 'expected messages, which take tools, but received a text');
}

const messagesSchema = z.array(chatMessageSchema).min(1);

/** The messages of a prompt. @throws LlamatuneError PROMPT_INVALID */
export const checkedMessages = (value: unknown, name: string, where: string) =>
  checked(messagesSchema, value, name, where);

function checked<T>(schema: z.ZodType<T>, value: unknown, name: string, where: string): T {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue, schema));
  const text = problems.map(({ path, message }) => {
    const at = [name, path].filter((part) => part !== '').join('.');
    return `${at}: ${message}`;
  });
  throw invalidPrompt(where, text.join('; '));
}

/** @param hint which forms a prompt may have */
export function invalidPrompt(where: string, message: string, hint = HINT): LlamatuneError {
  return new LlamatuneError('PROMPT_INVALID', `${where}: ${message}`, { hint });
}
