import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import type { ChatMessage } from './dataset-row.js';
import {
  chatTemplate,
  model,
  path,
  placementProblems,
  placementShape,
  seed,
  signal,
  threads,
} from './fields.js';

const message = z.custom<ChatMessage>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    typeof (value as ChatMessage).role === 'string' &&
    (typeof (value as ChatMessage).content === 'string' || (value as ChatMessage).content === null),
);

const adapterPath = path('A LoRA adapter of this model, as GGUF.');

const adapter = z.strictObject({
  path: adapterPath,
  scale: z.number().default(1).describe("Scale of the adapter's output (0 = off)."),
});

const adapters = z
  .union([adapterPath, z.array(z.union([adapterPath, adapter]))])
  .default([])
  .transform((given) =>
    (typeof given === 'string' ? [given] : given).map((each) =>
      typeof each === 'string' ? { path: each, scale: 1 } : each,
    ),
  )
  .meta({
    description: 'LoRA adapters to apply together: paths, or { path, scale }.',
    typeText: 'path, or array of path or { path, scale }',
  });

const base = z.strictObject({
  model: model(),
  prompt: z
    .string()
    .min(1)
    .optional()
    .describe('Plain text to continue; no chat template is applied. Not together with messages.'),
  messages: z
    .array(message.meta({ typeText: '{ role, content }' }))
    .min(1)
    .optional()
    .describe('A conversation to answer, through the chat template. Not together with prompt.'),
  tools: z
    .array(z.unknown())
    .optional()
    .describe('Tool descriptions, handed to the chat template. Default: none.'),
  chatTemplate: chatTemplate(),
  adapters,
  maxTokens: z.int().min(1).default(256).describe('Tokens to generate at most.'),
  temperature: z.number().min(0).default(0.8).describe('0: always the most likely token.'),
  topK: z.int().min(0).default(40).describe('Sample from the k most likely tokens; 0: all.'),
  topP: z.number().gt(0).max(1).default(0.95).describe('Nucleus sampling; 1: off.'),
  minP: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('Drop tokens less likely than this part of the most likely one; 0: off.'),
  repeatPenalty: z.number().positive().default(1).describe('Penalty on repeated tokens; 1: off.'),
  repeatLastN: z
    .int()
    .min(-1)
    .default(64)
    .describe('Tokens that the penalty looks back; -1: the whole context, 0: off.'),
  seed: seed(),
  stop: z
    .array(z.string().min(1))
    .default([])
    .describe('Texts that end the generation; they are not part of the result.'),
  grammar: z.string().min(1).optional().describe('GBNF grammar of the answer. Default: none.'),
  ignoreEos: z.boolean().default(false).describe('Go on after an end-of-generation token.'),
  contextLength: z
    .int()
    .min(1)
    .optional()
    .describe('Tokens of context. Default: what prompt and maxTokens need.'),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Options of `generate()`. */
export const generateSchema = withCrossFieldRules(base, (read) => {
  const hasPrompt = read.value('prompt') !== undefined;
  const hasMessages = read.value('messages') !== undefined;
  const [context, most] = [read.number('contextLength'), read.number('maxTokens')];
  return [
    ...placementProblems(read),
    hasPrompt === hasMessages
      ? {
          path: 'prompt',
          message: `expected prompt or messages but received ${hasPrompt ? 'both' : 'neither'}`,
        }
      : undefined,
    hasPrompt && read.value('tools') !== undefined
      ? { path: 'tools', message: 'expected no tools with a prompt but received some' }
      : undefined,
    context !== undefined && most !== undefined && most >= context
      ? {
          path: 'maxTokens',
          message: `expected less than contextLength (${context}) but received ${most}`,
        }
      : undefined,
  ];
});

export type GenerateOptions = z.input<typeof generateSchema>;
export type GenerateConfig = z.output<typeof generateSchema>;
