import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import { type ChatMessage, chatMessageSchema } from './chat-message.js';
import { type FieldReader, withCrossFieldRules } from './cross-field.js';
import {
  adapters,
  chatTemplate,
  expertStatistics,
  flashAttention,
  isIterable,
  model,
  placementProblems,
  placementShape,
  seed,
  signal,
  threads,
} from './fields.js';

/** A prompt of several: text to continue, or a conversation to answer. Other keys are ignored. */
export type Prompt =
  | string
  | readonly ChatMessage[]
  | { prompt: string }
  | { prompt: readonly ChatMessage[]; tools?: readonly unknown[] | string | null }
  | { messages: readonly ChatMessage[]; tools?: readonly unknown[] | string | null };

/** Path of a file of prompts, or prompts from memory. Iterables are read once, in order, as answers finish. */
export type PromptSource = string | Iterable<Prompt> | AsyncIterable<Prompt>;

const base = z.strictObject({
  model: model(),
  prompt: z
    .string()
    .min(1)
    .optional()
    .describe('Text to continue, without chat template. Give one of prompt, messages and prompts.'),
  messages: z
    .array(chatMessageSchema.meta({ typeText: '{ role, content }' }))
    .min(1)
    .optional()
    .describe(
      'Conversation to answer, formatted by the chat template. Give one of prompt, messages and prompts.',
    ),
  prompts: z
    .custom<PromptSource>(
      (value) => (typeof value === 'string' && value !== '') || isIterable(value),
    )
    .optional()
    .meta({
      typeText: 'path of a file, or an iterable of prompts',
      cli: 'path',
      description:
        'Several prompts, each a text, messages, { prompt } or { messages, tools }: an iterable, or a file ' +
        'of rows in a format of datasets, or .txt with one prompt per line.',
    }),
  n: z
    .int()
    .min(1)
    .max(65536)
    .optional()
    .describe('Number of samples of each prompt, each with its own seed. Default: 1.'),
  parallel: z
    .int()
    .min(1)
    .max(255)
    .optional()
    .describe(
      'Number of sequences that are decoded together. Default: up to 16 on a CPU and 32 on a GPU, as memory allows.',
    ),
  tools: z
    .array(z.unknown())
    .optional()
    .describe('Tool descriptions, passed to the chat template. Default: none.'),
  chatTemplate: chatTemplate(),
  adapters: adapters(),
  maxTokens: z.int32().min(1).default(256).describe('Maximum number of tokens to generate.'),
  temperature: z
    .number()
    .min(0)
    .default(0.8)
    .describe('Sampling temperature (0 = greedy: always the most likely token).'),
  topK: z.int32().min(0).default(40).describe('Sample from the k most likely tokens (0 = all).'),
  topP: z
    .number()
    .gt(0)
    .max(1)
    .default(0.95)
    .describe(
      'Nucleus sampling: sample from the most likely tokens that add up to this probability (1 = off).',
    ),
  minP: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('Drop tokens less likely than this fraction of the most likely one (0 = off).'),
  repeatPenalty: z
    .number()
    .positive()
    .default(1)
    .describe('Penalty for repeated tokens (1 = off).'),
  repeatLastN: z
    .int32()
    .min(-1)
    .default(64)
    .describe('Number of last tokens that count as repeated (-1 = whole context, 0 = off).'),
  seed: seed(),
  stop: z
    .array(z.string().min(1))
    .default([])
    .describe('Stop sequences: generation ends before the first of these texts.'),
  grammar: z
    .string()
    .min(1)
    .optional()
    .describe('GBNF grammar that the answer must follow. Default: none.'),
  ignoreEos: z.boolean().default(false).describe('Do not stop at an end-of-generation token.'),
  contextLength: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Context length in tokens, prompt included. Default: what prompt and maxTokens need.',
    ),
  flashAttention: flashAttention(),
  expertStatistics: expertStatistics(),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Refuses answers that leave no room for a prompt. */
export function maxTokensProblem(read: FieldReader): ConfigProblem | undefined {
  const [context, most] = [read.number('contextLength'), read.number('maxTokens')];
  if (context === undefined || most === undefined || most < context) return undefined;
  const message = `expected less than contextLength (${context}) but received ${most}`;
  return { path: 'maxTokens', message };
}

/** Prompts that are texts, which no chat template formats, as far as they are known before they are read. */
function textPrompts(prompts: unknown): string[] {
  if (typeof prompts === 'string') return /\.txt$/i.test(prompts) ? ['prompts'] : [];
  if (!Array.isArray(prompts)) return [];
  return prompts.flatMap((prompt: unknown, i) => (isTextPrompt(prompt) ? [`prompts.${i}`] : []));
}

function isTextPrompt(prompt: unknown): boolean {
  if (typeof prompt !== 'object' || prompt === null) return typeof prompt === 'string';
  const { prompt: text, messages } = prompt as { prompt?: unknown; messages?: unknown };
  return typeof text === 'string' && (messages === undefined || messages === null);
}

/** Schema of the options of `generate()`. */
export const generateSchema = withCrossFieldRules(base, (read) => {
  const has = (name: string) => read.value(name) !== undefined;
  const given = ['prompt', 'messages', 'prompts'].filter(has);
  return [
    ...placementProblems(read),
    given.length !== 1
      ? {
          path: 'prompt',
          message: `expected one of prompt, messages and prompts but received ${given.join(' and ') || 'none'}`,
        }
      : undefined,
    has('prompt') && has('tools')
      ? { path: 'tools', message: 'expected tools only with messages but received a prompt' }
      : undefined,
    ...(has('tools') ? textPrompts(read.value('prompts')) : []).map((where) => ({
      path: 'tools',
      message: `expected tools only with messages but received a text in ${where}`,
    })),
    has('parallel') && !has('prompts') && !has('n')
      ? { path: 'parallel', message: 'expected parallel only with prompts or n' }
      : undefined,
    maxTokensProblem(read),
  ];
});

/** Options of `generate()`. Each option is documented in docs/configuration.md. */
export type GenerateOptions = z.input<typeof generateSchema>;
/** Options of `generate()` for several sequences: `prompts` or `n` is given. */
export type GenerateManyOptions = GenerateOptions & ({ prompts: PromptSource } | { n: number });
/** Options of `generate()` with every default filled in. */
export type GenerateConfig = z.output<typeof generateSchema>;
