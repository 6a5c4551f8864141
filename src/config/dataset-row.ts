import { z } from 'zod';
import {
  type ChatMessage,
  chatMessageSchema,
  lossWeight,
  roleOf,
  type TemplateMessage,
  weightValue,
} from './chat-message.js';
import { parseExactJson, plainNumbers } from './exact-json.js';

/** A conversation: the model's chat template turns it into text. */
export interface ChatRow {
  messages: readonly ChatMessage[];
  /** Tool descriptions for the chat template, as a list or as JSON text. */
  tools?: readonly unknown[] | string | null;
}

/** A conversation as ShareGPT has it. */
export interface ShareGptRow {
  conversations: readonly { from: string; value: string; weight?: number | null }[];
  /** A system message before the conversation. */
  system?: string | null;
  tools?: readonly unknown[] | string | null;
}

/** Two parts of a text, without a chat template; or of a conversation, with it. */
export type CompletionRow =
  | { prompt: string; completion: string }
  | {
      prompt: readonly ChatMessage[];
      completion: readonly ChatMessage[];
      tools?: readonly unknown[] | string | null;
    };

/** An instruction as Alpaca has it: the chat template formats it as a question and its answer. */
export interface AlpacaRow {
  instruction: string;
  /** Follows the instruction after an empty line. */
  input?: string | null;
  output: string;
  /** A system message before them. */
  system?: string | null;
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

/** One sample, in exactly one of these forms. Columns that belong to none of them (ids, sources, scores, …) are ignored. */
export type DatasetRow = ChatRow | ShareGptRow | CompletionRow | AlpacaRow | TextRow | TokenRow;

/** What a row says, in the form that is tokenized. */
export type ParsedRow =
  | {
      kind: 'chat';
      messages: TemplateMessage[];
      tools: unknown[] | null;
      /** Messages at the start that carry no loss, whatever their role. */
      promptMessages: number;
    }
  | { kind: 'completion'; prompt: string; completion: string }
  | { kind: 'text'; text: string }
  | ({ kind: 'tokens' } & TokenRow);

const messages = z.array(chatMessageSchema).min(1);

/** Schema of tool descriptions: a list, or the same as JSON text. */
export const toolsSchema = z
  .union([z.array(z.unknown()), z.string()])
  .nullish()
  .transform((given, context): unknown[] | null => {
    if (typeof given !== 'string') return given ?? null;
    if (given.trim() === '') return null;
    try {
      const parsed = parseExactJson(given);
      if (Array.isArray(parsed)) return parsed;
    } catch {}
    context.addIssue({
      code: 'custom',
      message: 'expected a list, or JSON text of a list',
      input: given,
    });
    return null;
  });

const chatRow = z.looseObject({ messages, tools: toolsSchema }).transform(
  (row): ParsedRow => ({
    kind: 'chat',
    messages: row.messages,
    tools: row.tools,
    promptMessages: 0,
  }),
);

const systemMessage = (text: string | null | undefined): TemplateMessage[] =>
  text === null || text === undefined || text === '' ? [] : [{ role: 'system', content: text }];

const shareGptRow = z
  .looseObject({
    conversations: z
      .array(
        z.looseObject({
          from: z.string().min(1),
          value: z.string().min(1),
          weight: lossWeight,
        }),
      )
      .min(1),
    system: z.string().nullish(),
    tools: toolsSchema,
  })
  .transform(
    (row): ParsedRow => ({
      kind: 'chat',
      messages: [
        ...systemMessage(row.system),
        ...row.conversations.map(({ from, value, weight }) => ({
          role: roleOf(from),
          content: value,
          ...(typeof weight === 'number' ? { weight } : {}),
        })),
      ],
      tools: row.tools,
      promptMessages: 0,
    }),
  );

const completionRow = z
  .looseObject({ prompt: z.string(), completion: z.string().min(1) })
  .transform(({ prompt, completion }): ParsedRow => ({ kind: 'completion', prompt, completion }));

const chatCompletionRow = z
  .looseObject({ prompt: messages, completion: messages, tools: toolsSchema })
  .transform(
    (row): ParsedRow => ({
      kind: 'chat',
      messages: [...row.prompt, ...row.completion],
      tools: row.tools,
      promptMessages: row.prompt.length,
    }),
  );

const alpacaRow = z
  .looseObject({
    instruction: z.string().min(1),
    input: z.string().nullish(),
    output: z.string().min(1),
    system: z.string().nullish(),
  })
  .transform(
    ({ instruction, input, output, system }): ParsedRow => ({
      kind: 'chat',
      messages: [
        ...systemMessage(system),
        { role: 'user', content: input ? `${instruction}\n\n${input}` : instruction },
        { role: 'assistant', content: output },
      ],
      tools: null,
      promptMessages: 0,
    }),
  );

const textRow = z
  .looseObject({ text: z.string().min(1) })
  .transform(({ text }): ParsedRow => ({ kind: 'text', text }));

const tokenIds = z.preprocess(
  plainNumbers,
  z.union([z.instanceof(Int32Array), z.array(z.int32().min(0))]),
);
const tokenWeights = z.preprocess(
  plainNumbers,
  z.union([z.instanceof(Float32Array), z.array(weightValue)]).nullish(),
);
const tokenMask = z.preprocess(
  plainNumbers,
  z.union([z.instanceof(Uint8Array), z.array(z.union([z.literal(0), z.literal(1)]))]).nullish(),
);

const tokenRow = z
  .looseObject({ tokens: tokenIds, weights: tokenWeights, mask: tokenMask })
  .superRefine(checkTokenRow)
  .transform(
    ({ tokens, weights, mask }): ParsedRow => ({
      kind: 'tokens',
      tokens,
      ...(weights ? { weights } : {}),
      ...(mask ? { mask } : {}),
    }),
  );

function checkTokenRow(
  row: {
    tokens: ArrayLike<number>;
    weights?: ArrayLike<number> | null;
    mask?: ArrayLike<number> | null;
  },
  context: z.core.$RefinementCtx,
): void {
  const issue = (path: (string | number)[], message: string) =>
    context.addIssue({ code: 'custom', path, message, input: row });
  if (row.weights && row.mask) issue([], 'expected weights or mask but received both');
  const name = row.weights ? 'weights' : 'mask';
  const values = row[name];
  if (!values) return;
  const { length } = row.tokens;
  if (values.length !== length) {
    issue([name], `expected ${length} values, one per token, but received ${values.length}`);
  }
  // zod checks the elements of arrays, but not of typed arrays.
  const [fits, expected]: [(value: number) => boolean, string] =
    name === 'mask'
      ? [(value) => value <= 1, '0 or 1']
      : [(value) => value >= 0 && Number.isFinite(value), 'a finite number of at least 0'];
  const wrong = Array.prototype.findIndex.call(values, (value: number) => !fits(value));
  if (wrong >= 0) issue([name, wrong], `expected ${expected} but received ${values[wrong]}`);
}

type RowSchema = z.ZodType<ParsedRow>;

/** A form of rows: the columns that it needs, and its schema. */
export interface RowForm {
  /** The columns that say that a row has this form, as errors name them. */
  columns: readonly string[];
  schemaFor(row: Record<string, unknown>): RowSchema;
}

const form = (columns: readonly string[], schema: RowSchema): RowForm => ({
  columns,
  schemaFor: () => schema,
});

/** All forms, the most usual first. */
export const ROW_FORMS: readonly RowForm[] = [
  form(['messages'], chatRow),
  form(['conversations'], shareGptRow),
  {
    columns: ['prompt', 'completion'],
    schemaFor: ({ prompt }) => (Array.isArray(prompt) ? chatCompletionRow : completionRow),
  },
  form(['instruction', 'output'], alpacaRow),
  form(['text'], textRow),
  form(['tokens'], tokenRow),
];
