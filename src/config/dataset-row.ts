import { z } from 'zod';

/** One message of a conversation, as chat templates take it. Further keys reach the template. */
export interface ChatMessage {
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

/** Tokens as they are; nothing is added. */
export interface TokenRow {
  tokens: readonly number[] | Int32Array;
  /** 1: predicting this token carries a loss. Default: 1 for every token but the first. */
  mask?: readonly (0 | 1)[] | Uint8Array;
}

/**
 * One sample. Exactly one of the four shapes; columns that belong to none of them (ids, sources,
 * scores, …) are ignored, as data sets carry many.
 */
export type DatasetRow = ChatRow | CompletionRow | TextRow | TokenRow;

const message = z
  .looseObject({ role: z.string().min(1), content: z.string().nullish() })
  .superRefine((value, context) => {
    if (typeof value.content === 'string' || Object.keys(value).some(isOtherContent)) return;
    context.addIssue({
      code: 'custom',
      path: ['content'],
      message: `expected a text, or null beside e.g. tool_calls, but received ${String(value.content)}`,
    });
  });

const isOtherContent = (key: string): boolean => !['role', 'content', 'name'].includes(key);

const tokenIds = z.union([z.instanceof(Int32Array), z.array(z.int().min(0).max(0x7fffffff))]);
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
  mask: tokenMask.optional().describe('One 0 or 1 for each token. Default: all 1.'),
});
