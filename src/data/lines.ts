import { LlamatuneError } from '../errors.js';
import { fileBytes } from './file-bytes.js';

/** One line of a text file, without its '\n'. */
export interface TextLine {
  text: string;
  /** 1-based. */
  line: number;
}

/** A longer line means that the file is not a dataset, and reading it would fill the memory. */
const LONGEST_LINE = 64 * 1024 * 1024;
const NEWLINE = 0x0a;
/** Drops a byte-order mark, which may only be at the start of a file. */
const FIRST_LINE = new TextDecoder('utf-8', { fatal: true });
const OTHER_LINES = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a text file line by line with constant memory; see fileBytes() for what it may be.
 *
 * @throws LlamatuneError DATASET_NOT_FOUND, DATASET_UNREADABLE, DATASET_ENCODING with file and line.
 */
export async function* readLines(path: string): AsyncGenerator<TextLine, void, undefined> {
  let line = 0;
  for await (const bytes of lineBytes(path)) {
    line += 1;
    yield { text: decode(bytes, path, line), line };
  }
}

async function* lineBytes(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingLength = 0;
  let line = 1;
  for await (const chunk of fileBytes(path)) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, end)]);
      pending = [];
      pendingLength = 0;
      line += 1;
      start = end + 1;
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingLength += chunk.length - start;
    }
    if (pendingLength > LONGEST_LINE) {
      throw new LlamatuneError(
        'DATASET_UNREADABLE',
        `${path}:${line}: the line is longer than ${LONGEST_LINE} bytes`,
        { hint: 'check that the file is a dataset with one row per line' },
      );
    }
  }
  if (pendingLength > 0) yield Buffer.concat(pending);
}

function decode(bytes: Uint8Array, path: string, line: number): string {
  try {
    return (line === 1 ? FIRST_LINE : OTHER_LINES).decode(bytes);
  } catch (cause) {
    throw new LlamatuneError('DATASET_ENCODING', `${path}:${line}: the text is not UTF-8`, {
      hint: 'save the file as UTF-8',
      cause,
    });
  }
}
