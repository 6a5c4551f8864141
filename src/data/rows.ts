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
  'a row is { messages: [{ role, content }] }, { prompt, completion }, { text } or { tokens, weights }';

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

function checkTokenRow(row: TokenRow, where: string): void {
  if (row.weights !== undefined && row.mask !== undefined) {
    throw invalidRow(where, 'expected weights or mask but received both');
  }
  const name = row.weights === undefined ? 'mask' : 'weights';
  const values = row[name];
  if (values === undefined) return;
  if (values.length !== row.tokens.length) {
    throw invalidRow(
      where,
      `${name}: expected ${row.tokens.length} values, one per token, but received ${values.length}`,
    );
  }
  // zod checks the elements of arrays, but not of typed arrays.
  const [fits, expected]: [(value: number) => boolean, string] =
    name === 'mask'
      ? [(value) => value <= 1, '0 or 1']
      : [(value) => value >= 0 && Number.isFinite(value), 'a finite number of at least 0'];
  const wrong = Array.prototype.findIndex.call(values, (value: number) => !fits(value));
  if (wrong >= 0) {
    throw invalidRow(where, `${name}.${wrong}: expected ${expected} but received ${values[wrong]}`);
  }
}

export function invalidRow(where: string, message: string): LlamatuneError {
  return new LlamatuneError('DATASET_INVALID_ROW', `${where}: ${message}`, { hint: HINT });
}
