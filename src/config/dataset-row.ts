import { z } from 'zod';

/** One message of a conversation, as chat templates take it. Further keys reach the template. */
export interface ChatMessage {
  /** Factor of the loss of an assistant's turn, 0 or more. Default: 1. */
  weight?: number | null;
  /** false: the same as weight 0. */
  train?: boolean | null;
  /** 'system', 'user', 'assistant', 'tool', or what else the chat template knows. */
  role: string;
  /** null only where the message has other content, e.g. tool calls. */
  content: string | null;
  [key: string]: unknown;
}

/** A conversation: the model's chat template turns it into text. */
export interface ChatRow {
  messages: readonly ChatMessage[];
  /** Tool descriptions, handed to the chat template as they are. */
  tools?: readonly unknown[] | null;
}

/** Plain text in two parts; no chat template is applied. */
export interface CompletionRow {
  prompt: string;
  completion: string;
}

/** Plain text. */
export interface TextRow {
  text: string;
}

/** Tokens as they are; nothing is added. Not both of weights and mask. */
export interface TokenRow {
  tokens: readonly number[] | Int32Array;
  /** Factor of the loss of predicting each token, 0 or more. Default: 1 for every token but the first. */
  weights?: readonly number[] | Float32Array;
  /** The same with 0 and 1 only. */
  mask?: readonly (0 | 1)[] | Uint8Array;
}

/**
 * One sample. Exactly one of the four shapes; columns that belong to none of them (ids, sources,
 * scores, …) are ignored, as data sets carry many.
 */
export type DatasetRow = ChatRow | CompletionRow | TextRow | TokenRow;

/** Finite also as a 32-bit float. */
const lossWeight = z.number().min(0).max(1e30);

const message = z
  .looseObject({
    role: z.string().min(1),
    content: z.string().nullish(),
    weight: lossWeight.nullish(),
    train: z.boolean().nullish(),
  })
  .superRefine((value, context) => {
    if (value.train === (value.weight === 0) && typeof value.weight === 'number') {
      context.addIssue({
        code: 'custom',
        path: ['weight'],
        message: `expected a weight that agrees with train: ${value.train} but received ${value.weight}`,
      });
    }
    if (typeof value.content === 'string' || Object.keys(value).some(isOtherContent)) return;
    context.addIssue({
      code: 'custom',
      path: ['content'],
      message: `expected a text, or null beside e.g. tool_calls, but received ${String(value.content)}`,
    });
  });

const isOtherContent = (key: string): boolean =>
  !['role', 'content', 'name', 'weight', 'train'].includes(key);

const tokenIds = z.union([z.instanceof(Int32Array), z.array(z.int().min(0).max(0x7fffffff))]);
const tokenWeights = z.union([z.instanceof(Float32Array), z.array(lossWeight)]);
const tokenMask = z.union([
  z.instanceof(Uint8Array),
  z.array(z.union([z.literal(0), z.literal(1)])),
]);

export const chatRowSchema = z.looseObject({
  messages: z.array(message).min(1).describe('The conversation, oldest message first.'),
  tools: z.array(z.unknown()).nullish().describe('Tool descriptions for the chat template.'),
});

export const completionRowSchema = z.looseObject({
  prompt: z.string().describe('Text before the completion; carries no loss.'),
  completion: z.string().min(1).describe('Text to learn.'),
});

export const textRowSchema = z.looseObject({ text: z.string().min(1).describe('Text to learn.') });

export const tokenRowSchema = z.looseObject({
  tokens: tokenIds.describe("Token ids of the model's vocabulary."),
  weights: tokenWeights.optional().describe('Factor of the loss of each token. Default: all 1.'),
  mask: tokenMask.optional().describe('The same with 0 and 1 only.'),
});
