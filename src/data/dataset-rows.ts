import type { DatasetSource } from '../config/fields.js';
import { describeValue } from '../config/parse.js';
import { datasetFiles, namesFiles } from '../files/dataset-files.js';
import { emptyDataset, readRows } from './readers.js';

/** A row, not yet checked, and its name in messages: 'train.jsonl:17' or 'row 17'. */
export interface SourceRow {
  row: unknown;
  where: string;
}

/** The rows of one file of a dataset, or its rows from memory. */
export interface RowSource {
  rows: AsyncIterable<SourceRow>;
  /** How often each sample is used in an epoch. */
  weight: number;
}

export function rowSources(
  dataset: DatasetSource | Iterable<unknown> | AsyncIterable<unknown>,
): RowSource[] {
  return namesFiles(dataset)
    ? datasetFiles(dataset).map(({ path, weight }) => ({ rows: rowsOfFile(path), weight }))
    : [{ rows: rowsOfMemory(dataset as Iterable<unknown>), weight: 1 }];
}

async function* rowsOfFile(path: string) {
  for await (const { row, line } of readRows(path)) yield { row, where: `${path}:${line}` };
}

async function* rowsOfMemory(source: Iterable<unknown> | AsyncIterable<unknown>) {
  let count = 0;
  for await (const row of source) {
    count += 1;
    yield { row, where: `row ${count}` };
  }
  if (count === 0) throw emptyDataset(`(${describeValue(source)} of rows)`);
}

/** Errors of a single row: the other rows of the dataset may be good. */
export const ROW_ERRORS: ReadonlySet<string> = new Set([
  'DATASET_INVALID_ROW',
  'DATASET_NO_TARGET',
  'TEMPLATE_FAILED',
  'TOKENIZER_INEXACT',
]);
