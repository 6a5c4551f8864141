import { Readable } from 'node:stream';
import { CsvError, type Info, parse } from 'csv-parse';
import { LlamatuneError } from '../errors.js';
import { readLines } from './lines.js';
import type { FileRow } from './readers.js';

/** A larger record means an unclosed quote, and reading it would fill the memory. */
const LARGEST_RECORD = 64 * 1024 * 1024;

/**
 * Reads a CSV file (RFC 4180) whose first line names the columns. Every cell is a text. A byte-order
 * mark, Windows line ends and blank lines are accepted.
 *
 * @throws LlamatuneError DATASET_INVALID_CSV with file and line, and what readLines() throws.
 */
export const readCsv = (path: string) => readCells(path, ',');

/** Like readCsv(), with tabs between the cells. */
export const readTsv = (path: string) => readCells(path, '\t');

async function* readCells(
  path: string,
  delimiter: string,
): AsyncGenerator<FileRow, void, undefined> {
  const parser = parse({
    delimiter,
    columns: (names: string[]) => distinct(names, path),
    info: true,
    max_record_size: LARGEST_RECORD,
    skip_empty_lines: true,
  });
  const source = Readable.from(linesOf(path));
  source.on('error', (error) => parser.destroy(error)).pipe(parser);
  let previous = { lines: 1, empty_lines: 0 };
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: unknown; info: Info }>) {
      // info.lines is the record's last line; a quoted cell may span several.
      const blank = info.empty_lines - previous.empty_lines;
      yield { row: record, line: previous.lines + blank + 1 };
      previous = info;
    }
  } catch (error) {
    throw error instanceof CsvError ? invalidCsv(path, error) : error;
  } finally {
    source.destroy();
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  for await (const { text } of readLines(path)) yield `${text}\n`;
}

/** Columns without a name, as spreadsheets add at the end, are left out. */
function distinct(names: string[], path: string): (string | false)[] {
  const twice = names.find((name, i) => name !== '' && names.indexOf(name) !== i);
  if (twice === undefined) return names.map((name) => name !== '' && name);
  throw new LlamatuneError('DATASET_INVALID_CSV', `${path}:1: two columns are named '${twice}'`, {
    hint: 'rename or remove one of them',
  });
}

function invalidCsv(path: string, error: CsvError): LlamatuneError {
  return new LlamatuneError(
    'DATASET_INVALID_CSV',
    `${path}:${error.lines}: ${whatIsWrong(error)}`,
    {
      cause: error,
      hint: 'put cells with commas, quotes or line breaks in double quotes, and double the quotes inside them',
    },
  );
}

/** The parser's own messages end with the line, which ours start with. */
function whatIsWrong({ code, message, record, columns }: CsvError): string {
  switch (code) {
    case 'CSV_RECORD_INCONSISTENT_COLUMNS':
      return `the number of cells is ${count(record)}, but the first line names ${count(columns)} columns`;
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'the file ends inside a cell whose double quote is never closed';
    case 'CSV_MAX_RECORD_SIZE':
      return `the row has more than ${LARGEST_RECORD} bytes; a double quote may not be closed`;
    default:
      return message.replace(/ (on|at) line \d+/, '');
  }
}

const count = (list: unknown): number => (Array.isArray(list) ? list.length : 0);
