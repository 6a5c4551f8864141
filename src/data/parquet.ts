import {
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { LlamatuneError } from '../errors.js';
import { unreadable } from './file-bytes.js';
import type { FileRow } from './readers.js';

/**
 * Reads a Parquet file, one row group at a time. Integers of 64 bits become numbers.
 *
 * @throws LlamatuneError DATASET_NOT_FOUND, DATASET_UNREADABLE, DATASET_INVALID_PARQUET
 */
export async function* readParquet(path: string): AsyncGenerator<FileRow, void, undefined> {
  const file = await asyncBufferFromFile(path).catch((cause) => {
    throw unreadable(path, cause as NodeJS.ErrnoException);
  });
  const metadata = await parquetMetadataAsync(file).catch((cause) => {
    throw invalidParquet(path, cause);
  });
  checkColumns(path, metadata);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd }).catch(
      (cause) => {
        throw invalidParquet(path, cause);
      },
    );
    for (const [i, row] of rows.entries()) {
      const line = rowStart + i + 1;
      yield { row: withNumbers(row, `${path}:${line}`), line };
    }
    rowStart = rowEnd;
  }
}

/**
 * Refuses row groups whose columns are not those of the schema. The library would leave such a column out, and an error while it
 * reads one would end the process as an unhandled rejection.
 */
function checkColumns(path: string, metadata: FileMetaData): void {
  const leaves = (node: SchemaTree): string[] =>
    node.children.length === 0 ? [node.path.join('.')] : node.children.flatMap(leaves);
  let expected: string;
  try {
    expected = parquetSchema(metadata).children.flatMap(leaves).sort().join();
  } catch (cause) {
    throw invalidParquet(path, cause);
  }
  for (const { columns } of metadata.row_groups) {
    const names = columns.map(({ meta_data }) => meta_data?.path_in_schema.join('.')).sort();
    if (names.join() === expected) continue;
    throw invalidParquet(path, new Error('the columns of a row group differ from the schema'));
  }
}

function withNumbers(value: unknown, where: string): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (BigInt(number) === value) return number;
    throw new LlamatuneError(
      'DATASET_INVALID_ROW',
      `${where}: the integer ${value} is too large to be a number`,
      { hint: 'remove the column, or store it as a text' },
    );
  }
  if (Array.isArray(value)) return value.map((each) => withNumbers(each, where));
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, withNumbers(each, where)]),
  );
}

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

function invalidParquet(path: string, cause: unknown): LlamatuneError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new LlamatuneError('DATASET_INVALID_PARQUET', `${path}: ${message}`, {
    hint: 'check that the file is a complete Parquet file',
    cause,
  });
}
