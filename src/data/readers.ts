import { extname } from 'node:path';
import { LlamatuneError } from '../errors.js';
import { readCsv } from './csv.js';
import { readJsonl } from './jsonl.js';

/** One row of a dataset file. */
export interface FileRow {
  row: unknown;
  /** 1-based line on which the row starts. */
  line: number;
}

type Reader = (path: string) => AsyncIterable<FileRow>;

/** Formats of dataset files by extension; a file with another one is read as JSON Lines. */
const READERS: Readonly<Record<string, Reader>> = {
  '.jsonl': readJsonl,
  '.csv': readCsv,
};

/**
 * Reads a dataset file row by row with constant memory, in the format that its extension names.
 *
 * @throws LlamatuneError DATASET_EMPTY, and what the format's reader throws.
 */
export async function* readRows(path: string): AsyncGenerator<FileRow, void, undefined> {
  const read = READERS[extname(path).toLowerCase()] ?? readJsonl;
  let rows = 0;
  for await (const row of read(path)) {
    rows += 1;
    yield row;
  }
  if (rows === 0) throw emptyDataset(path);
}

export function emptyDataset(name: string): LlamatuneError {
  return new LlamatuneError('DATASET_EMPTY', `dataset ${name} has no rows`, {
    hint: 'a dataset is a JSON Lines or CSV file with one sample per row, or an iterable of rows',
  });
}
