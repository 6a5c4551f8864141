import { z } from 'zod';

/** One message of a conversation, as chat templates take it. Other keys are passed to the template. */
export interface ChatMessage {
  /** Loss weight of an assistant turn, 0 or more. Default: 1. */
  weight?: number | null;
  /** `false` is the same as weight 0. */
  train?: boolean | null;
  /** 'system', 'user', 'assistant', 'tool', or another role that the chat template supports. */
  role: string;
  /** null only if the message has other content, e.g. tool calls. */
  content: string | null;
  [key: string]: unknown;
}

/** A conversation: the model's chat template turns it into text. */
export interface ChatRow {
  messages: readonly ChatMessage[];
  /** Tool descriptions, passed to the chat template unchanged. */
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

/** Token ids, used unchanged. Give either weights or mask. */
export interface TokenRow {
  tokens: readonly number[] | Int32Array;
  /** Loss weight of each token, 0 or more. Default: 1 for every token except the first. */
  weights?: readonly number[] | Float32Array;
  /** The same with 0 and 1 only. */
  mask?: readonly (0 | 1)[] | Uint8Array;
}

/**
 * One sample, in exactly one of the four shapes. Columns that belong to none of them (ids, sources, scores, …) are
 * ignored.
 */
export type DatasetRow = ChatRow | CompletionRow | TextRow | TokenRow;

/** The upper limit keeps the value finite as a 32-bit float. */
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
      message: `expected a text, or null together with e.g. tool_calls, but received ${String(value.content)}`,
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
  prompt: z.string().describe('Text before the completion, without a loss.'),
  completion: z.string().min(1).describe('Text to learn.'),
});

export const textRowSchema = z.looseObject({ text: z.string().min(1).describe('Text to learn.') });

export const tokenRowSchema = z.looseObject({
  tokens: tokenIds.describe("Token ids of the model's vocabulary."),
  weights: tokenWeights.optional().describe('Loss weight of each token. Default: 1.'),
  mask: tokenMask.optional().describe('The same with 0 and 1 only.'),
});
