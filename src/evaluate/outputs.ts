import { describeValue } from '../config/parse.js';
import { readRows } from '../data/readers.js';
import { type ConfigProblem, LlamatuneError } from '../errors.js';
import type { EvaluationRow } from './rows.js';

/** Most problems that an error names. */
const MOST_PROBLEMS = 20;

export interface RecordedOutputs {
  /** Output by index of the row; null if the file says that there is none. */
  outputs: Map<number, string | null>;
  /** Rows without an output. */
  missing: EvaluationRow[];
}

interface OutputsOptions {
  outputField: string;
  idField: string;
  /** Indices of rows that no system is asked; outputs for them are ignored. */
  skipped: ReadonlySet<number>;
  /** Outputs for later rows of the dataset are ignored; undefined if all rows are used. */
  maxRows: number | undefined;
}

/**
 * Reads the outputs of another program: one row per answer, with the column `outputField` and either `index` (the position of
 * the row in the dataset, from 0) or the id of the row. Without both columns, the outputs are those of the rows in order. An
 * output that is null is a missing one. The samples of an earlier evaluation can be read, too.
 *
 * @throws LlamatuneError OUTPUTS_MISMATCH with all problems, and what reading a dataset throws
 */
export async function readOutputs(
  path: string,
  rows: readonly EvaluationRow[],
  options: OutputsOptions,
): Promise<RecordedOutputs> {
  const reader = new OutputsReader(rows, options);
  for await (const { row, line } of readRows(path)) reader.add(row, line);
  const { problems, outputs } = reader;
  if (!reader.isByOrder && outputs.size === 0 && problems.length === 0)
    problems.push({ path, message: 'no output belongs to a row of the dataset' });
  if (problems.length > 0) throw mismatch(path, problems);
  return { outputs, missing: rows.filter(({ index }) => typeof outputs.get(index) !== 'string') };
}

class OutputsReader {
  readonly outputs = new Map<number, string | null>();
  readonly problems: ConfigProblem[] = [];
  /** Whether the outputs have neither indices nor ids; undefined without outputs. */
  isByOrder: boolean | undefined;
  readonly #options: OutputsOptions;
  readonly #byIndex: Map<number, EvaluationRow>;
  /** Rows by id; null for an id that several rows have. */
  readonly #byId = new Map<string, EvaluationRow | null>();
  #count = 0;

  constructor(rows: readonly EvaluationRow[], options: OutputsOptions) {
    this.#options = options;
    this.#byIndex = new Map(rows.map((row) => [row.index, row]));
    for (const row of rows)
      if (row.id !== null) this.#byId.set(row.id, this.#byId.has(row.id) ? null : row);
  }

  add(given: unknown, line: number): void {
    const position = this.#count++;
    const problem = (message: string) => this.problems.push({ path: `line ${line}`, message });
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      problem(`expected an object but received ${describeValue(given)}`);
      return;
    }
    const columns = given as Record<string, unknown>;
    const output = columns[this.#options.outputField];
    if (typeof output !== 'string' && output !== null) {
      problem(
        `expected the column '${this.#options.outputField}' with a text or null but received ${describeValue(output)}`,
      );
      return;
    }
    const row = this.#rowOf(columns, position);
    if (typeof row === 'string') problem(row);
    else if (row !== null) this.#set(row, columns, output, problem);
  }

  /** The row of an output; null if it is left out, or what is wrong. */
  #rowOf(columns: Record<string, unknown>, position: number): EvaluationRow | string | null {
    const { idField, skipped, maxRows } = this.#options;
    const id = columns[idField];
    const hasId = typeof id === 'string' || typeof id === 'number';
    const given = columns.index ?? null;
    const isByOrder = given === null && !hasId;
    this.isByOrder ??= isByOrder;
    if (this.isByOrder !== isByOrder)
      return `some outputs have an index or the column '${idField}', and others have neither`;
    if (given === null && hasId) {
      const row = this.#byId.get(String(id));
      if (row === null) return `several rows of the dataset have the ${idField} '${id}'`;
      if (row === undefined && maxRows !== undefined) return null;
      return row ?? `no row of the dataset has the ${idField} '${id}'`;
    }
    const index = given === null ? position : positionOf(given);
    if (index === null)
      return `index: expected a number from 0 but received ${describeValue(given)}`;
    if (skipped.has(index) || (maxRows !== undefined && index >= maxRows)) return null;
    return this.#byIndex.get(index) ?? `no row of the dataset has the index ${index}`;
  }

  #set(
    row: EvaluationRow,
    columns: Record<string, unknown>,
    output: string | null,
    problem: (message: string) => void,
  ): void {
    if (this.outputs.has(row.index)) problem(`a second output for ${row.where}`);
    else if (belongsToAnother(row, columns)) problem(`its reference is not that of ${row.where}`);
    else this.outputs.set(row.index, output);
  }
}

/** A position as JSON or a table has it; null if it is none. */
function positionOf(given: unknown): number | null {
  const isPosition =
    typeof given === 'number'
      ? Number.isInteger(given) && given >= 0
      : typeof given === 'string' && /^\d+$/.test(given);
  return isPosition ? Number(given) : null;
}

/** Whether an output that names its reference, as samples do, was made for another row. */
const belongsToAnother = ({ references }: EvaluationRow, { reference }: Record<string, unknown>) =>
  typeof reference === 'string' && reference.trim() !== references[0]?.trim();

function mismatch(path: string, problems: readonly ConfigProblem[]): LlamatuneError {
  const shown = problems.slice(0, MOST_PROBLEMS).map((each) => `  ${each.path}: ${each.message}`);
  const rest = problems.length - shown.length;
  return new LlamatuneError(
    'OUTPUTS_MISMATCH',
    `the outputs in '${path}' do not belong to the dataset:\n${shown.join('\n')}${rest > 0 ? `\n  and ${rest} more` : ''}`,
    {
      hint: 'give each output the index of its row, from 0, or the id of a column of the dataset',
      problems,
    },
  );
}
