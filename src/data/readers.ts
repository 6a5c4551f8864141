import { extname } from 'node:path';
import { LlamatuneError } from '../errors.js';
import { readCsv, readTsv } from './csv.js';
import { readJson } from './jsonl.js';

/** One row of a dataset file. */
export interface FileRow {
  row: unknown;
  /** 1-based line on which the row starts; the number of the row in a format without lines. */
  line: number;
}

type Reader = (path: string) => AsyncIterable<FileRow>;

/** Formats of dataset files by extension, before '.gz'; a file with another one is read as JSON. */
const READERS: Readonly<Record<string, Reader>> = {
  '.csv': readCsv,
  '.tsv': readTsv,
  '.parquet': readParquet,
};

/** Loads the decoders when they are needed: they are large. */
async function* readParquet(path: string): AsyncGenerator<FileRow> {
  yield* (await import('./parquet.js')).readParquet(path);
}

function readerOf(path: string): Reader {
  const name = path.toLowerCase();
  const extension = extname(name.endsWith('.gz') ? name.slice(0, -'.gz'.length) : name);
  return READERS[extension] ?? readJson;
}

/**
 * Reads a dataset file row by row with constant memory, in the format that its extension names.
 *
 * @throws LlamatuneError DATASET_EMPTY, and what the format's reader throws.
 */
export async function* readRows(path: string): AsyncGenerator<FileRow, void, undefined> {
  let rows = 0;
  for await (const row of readerOf(path)(path)) {
    rows += 1;
    yield row;
  }
  if (rows === 0) throw emptyDataset(path);
}

export function emptyDataset(name: string): LlamatuneError {
  return new LlamatuneError('DATASET_EMPTY', `dataset ${name} has no rows`, {
    hint: 'a dataset is a JSON Lines, JSON, CSV, TSV or Parquet file with one sample per row, or an iterable of rows',
  });
}
