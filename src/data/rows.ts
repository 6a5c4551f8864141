import { type ParsedRow, ROW_FORMS, type RowForm } from '../config/dataset-row.js';
import { describeValue, isPresent, problemsOf } from '../config/parse.js';
import { LlamatuneError } from '../errors.js';

const HINT =
  'a row is { messages: [{ role, content }] }, { conversations: [{ from, value }] }, { prompt, completion }, ' +
  '{ instruction, input, output }, { text } or { tokens, weights }';

/**
 * Recognizes the form of a row and checks it. A column that is null counts as absent. If the columns of several forms are
 * there, the only form that the row fits wins.
 *
 * @param where names it in errors, e.g. 'train.jsonl:17'.
 * @throws LlamatuneError DATASET_INVALID_ROW
 */
export function parseRow(value: unknown, where: string): ParsedRow {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRow(where, `expected an object but received ${describeValue(value)}`);
  }
  const row = value as Record<string, unknown>;
  const meant = ROW_FORMS.filter(({ columns }) => columns.some((column) => isPresent(row[column])));
  if (meant.length === 0) {
    const columns = Object.keys(row).slice(0, 6).join(', ');
    const received = columns === '' ? 'no columns' : `the columns ${columns}`;
    throw invalidRow(where, `expected the columns of a known form but received ${received}`);
  }
  const parsed = meant.map((form) => {
    const schema = form.schemaFor(row);
    return { form, schema, result: schema.safeParse(row, { reportInput: true }) };
  });
  const fitting = parsed.filter(({ result }) => result.success);
  if (fitting.length > 1) {
    throw ambiguous(
      where,
      fitting.map(({ form }) => form),
    );
  }
  const only = fitting[0]?.result;
  if (only?.success) return only.data;
  // what is wrong with the form that has most of its columns
  const best = parsed.reduce((a, b) => (share(row, b.form) > share(row, a.form) ? b : a));
  const issues = best.result.error?.issues ?? [];
  const problems = issues.flatMap((issue) => problemsOf(issue, best.schema));
  const text = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  throw invalidRow(where, text.join('; '));
}

/** The fraction of the columns of a form that a row has. */
const share = (row: Record<string, unknown>, { columns }: RowForm): number =>
  columns.filter((column) => isPresent(row[column])).length / columns.length;

function ambiguous(where: string, forms: readonly RowForm[]): LlamatuneError {
  const names = forms.map(({ columns }) => columns.join(' and '));
  const [first, ...others] = names;
  return new LlamatuneError(
    'DATASET_INVALID_ROW',
    `${where}: the row is a sample in ${names.length} ways: by ${names.join(', and by ')}`,
    { hint: `drop ${others.join(', ')} to train on ${first}, or the other way round` },
  );
}

export function invalidRow(where: string, message: string): LlamatuneError {
  return new LlamatuneError('DATASET_INVALID_ROW', `${where}: ${message}`, { hint: HINT });
}
