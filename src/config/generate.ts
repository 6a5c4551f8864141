import { z } from 'zod';
import { chatMessageSchema } from './chat-message.js';
import { withCrossFieldRules } from './cross-field.js';
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

const adapterPath = path('LoRA adapter of this model, as GGUF.');

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
    description: 'LoRA adapters to apply: paths, or { path, scale }. Several are added up.',
    typeText: 'path, or array of path or { path, scale }',
  });

const base = z.strictObject({
  model: model(),
  prompt: z
    .string()
    .min(1)
    .optional()
    .describe('Text to continue, without chat template. Give either prompt or messages.'),
  messages: z
    .array(chatMessageSchema.meta({ typeText: '{ role, content }' }))
    .min(1)
    .optional()
    .describe(
      'Conversation to answer, formatted by the chat template. Give either prompt or messages.',
    ),
  tools: z
    .array(z.unknown())
    .optional()
    .describe('Tool descriptions, passed to the chat template. Default: none.'),
  chatTemplate: chatTemplate(),
  adapters,
  maxTokens: z.int().min(1).default(256).describe('Maximum number of tokens to generate.'),
  temperature: z
    .number()
    .min(0)
    .default(0.8)
    .describe('Sampling temperature (0 = greedy: always the most likely token).'),
  topK: z.int().min(0).default(40).describe('Sample from the k most likely tokens (0 = all).'),
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
    .int()
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
    .int()
    .min(1)
    .optional()
    .describe(
      'Context length in tokens, prompt included. Default: what prompt and maxTokens need.',
    ),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Schema of the options of `generate()`. */
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
      ? { path: 'tools', message: 'expected tools only with messages but received a prompt' }
      : undefined,
    context !== undefined && most !== undefined && most >= context
      ? {
          path: 'maxTokens',
          message: `expected less than contextLength (${context}) but received ${most}`,
        }
      : undefined,
  ];
});

/** Options of `generate()`. Each option is documented in docs/configuration.md. */
export type GenerateOptions = z.input<typeof generateSchema>;
/** The same with every default filled in. */
export type GenerateConfig = z.output<typeof generateSchema>;
