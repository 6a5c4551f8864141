import { createReadStream } from 'node:fs';
import { LlamatuneError } from '../errors.js';

/** One row of a JSON Lines file. */
export interface JsonlRow {
  row: unknown;
  /** 1-based; blank lines count. */
  line: number;
}

/** Beyond this a file is taken for something else than JSON Lines, before it fills the memory. */
const LONGEST_LINE = 64 * 1024 * 1024;
const NEWLINE = 0x0a;
/** Only a file's start may have a byte-order mark, which the decoder then drops. */
const FIRST_LINE = new TextDecoder('utf-8', { fatal: true });
const OTHER_LINES = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a JSON Lines file row by row, a chunk at a time. A byte-order mark, Windows line ends and
 * blank lines are fine.
 *
 * @throws LlamatuneError DATASET_NOT_FOUND, DATASET_UNREADABLE, DATASET_EMPTY, and
 *   DATASET_INVALID_JSON with file and line.
 */
export async function* readJsonl(path: string): AsyncGenerator<JsonlRow, void, undefined> {
  let line = 0;
  let rows = 0;
  for await (const bytes of readLines(path)) {
    line += 1;
    const text = decode(bytes, path, line, line === 1);
    if (text.trim() === '') continue;
    rows += 1;
    yield { row: parse(text, path, line), line };
  }
  if (rows === 0) throw emptyDataset(`'${path}'`);
}

export function emptyDataset(name: string): LlamatuneError {
  return new LlamatuneError(
    'DATASET_EMPTY',
    `expected at least one row in dataset ${name} but received none`,
    { hint: 'a dataset is a file of JSON Lines, one sample a line, or an iterable of rows' },
  );
}

async function* readLines(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingLength = 0;
  let line = 1;
  for await (const chunk of chunksOf(path)) {
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
      throw invalidJson(path, line, `more than ${LONGEST_LINE} bytes without a line end`);
    }
  }
  if (pendingLength > 0) yield Buffer.concat(pending);
}

async function* chunksOf(path: string): AsyncGenerator<Buffer, void, undefined> {
  const stream = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new LlamatuneError(
      missing ? 'DATASET_NOT_FOUND' : 'DATASET_UNREADABLE',
      `expected a readable dataset at '${path}' but received ${missing ? 'no such file' : (cause as Error).message}`,
      { hint: missing ? 'check the path' : 'check that it is a file and its permissions', cause },
    );
  } finally {
    stream.destroy();
  }
}

function decode(bytes: Uint8Array, path: string, line: number, first: boolean): string {
  try {
    return (first ? FIRST_LINE : OTHER_LINES).decode(bytes);
  } catch (cause) {
    throw invalidJson(path, line, 'bytes that are not UTF-8', cause);
  }
}

function parse(text: string, path: string, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidJson(path, line, (cause as Error).message, cause);
  }
}

function invalidJson(
  path: string,
  line: number,
  received: string,
  cause?: unknown,
): LlamatuneError {
  return new LlamatuneError(
    'DATASET_INVALID_JSON',
    `${path}:${line}: expected one JSON object but received ${received}`,
    { hint: 'a dataset file holds one JSON object a line (JSON Lines, UTF-8)', cause },
  );
}
