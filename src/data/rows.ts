import type { z } from 'zod';
import {
  type ChatRow,
  type CompletionRow,
  chatRowSchema,
  completionRowSchema,
  type TextRow,
  type TokenRow,
  textRowSchema,
  tokenRowSchema,
} from '../config/dataset-row.js';
import { describeValue, problemsOf } from '../config/parse.js';
import { LlamatuneError } from '../errors.js';

/** A checked row and the shape it has. */
export type ShapedRow =
  | { shape: 'chat'; row: ChatRow }
  | { shape: 'completion'; row: CompletionRow }
  | { shape: 'text'; row: TextRow }
  | { shape: 'tokens'; row: TokenRow };

interface Shape {
  /** A row that has any of these keys is meant to be of this shape. */
  keys: readonly string[];
  schema: z.ZodType;
}

const SHAPES: Readonly<Record<ShapedRow['shape'], Shape>> = {
  chat: { keys: ['messages'], schema: chatRowSchema },
  completion: { keys: ['prompt', 'completion'], schema: completionRowSchema },
  text: { keys: ['text'], schema: textRowSchema },
  tokens: { keys: ['tokens'], schema: tokenRowSchema },
};

const HINT =
  'a row is { messages: [{ role, content }] }, { prompt, completion }, { text } or { tokens, mask }';

/**
 * Checks one row of a dataset.
 *
 * @param where names it in errors, e.g. 'train.jsonl:17'.
 * @throws LlamatuneError DATASET_INVALID_ROW
 */
export function shapeRow(value: unknown, where: string): ShapedRow {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRow(where, `expected an object but received ${describeValue(value)}`);
  }
  const found = (Object.keys(SHAPES) as ShapedRow['shape'][]).filter((shape) =>
    SHAPES[shape].keys.some((key) => (value as Record<string, unknown>)[key] !== undefined),
  );
  const shape = found[0];
  if (shape === undefined) {
    const keys = Object.keys(value).slice(0, 6).join(', ');
    throw invalidRow(
      where,
      'expected messages, prompt and completion, text, or tokens ' +
        `but received ${keys === '' ? 'no fields' : `the fields ${keys}`}`,
    );
  }
  if (found.length > 1) {
    const keys = found.map((each) => SHAPES[each].keys.join('/')).join(' and ');
    throw invalidRow(where, `expected a row of one shape but received ${keys}`);
  }
  const { schema } = SHAPES[shape];
  const parsed = schema.safeParse(value, { reportInput: true });
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue, schema));
    const text = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
    throw invalidRow(where, text);
  }
  if (shape === 'tokens') checkTokenRow(parsed.data as TokenRow, where);
  return { shape, row: parsed.data } as ShapedRow;
}

function checkTokenRow({ tokens, mask }: TokenRow, where: string): void {
  if (mask !== undefined && mask.length !== tokens.length) {
    throw invalidRow(
      where,
      `expected a mask of ${tokens.length} values, one for each token, but received ${mask.length}`,
    );
  }
  const wrong = mask?.findIndex((value: number) => value > 1) ?? -1;
  if (wrong >= 0) {
    throw invalidRow(where, `mask.${wrong}: expected 0 or 1 but received ${mask![wrong]}`);
  }
}

export function invalidRow(where: string, message: string): LlamatuneError {
  return new LlamatuneError('DATASET_INVALID_ROW', `${where}: ${message}`, { hint: HINT });
}
