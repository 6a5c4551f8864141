import { parseExactJson } from '../config/exact-json.js';
import { LlamatuneError } from '../errors.js';
import { arrayElements } from './json-array.js';
import { readLines, type TextLine } from './lines.js';
import type { FileRow } from './readers.js';

/**
 * Reads a JSON Lines file, or a file that is one JSON array. A byte-order mark, Windows line ends and blank lines are
 * accepted.
 *
 * @throws LlamatuneError DATASET_INVALID_JSON with file and line, and what readLines() throws.
 */
export async function* readJson(path: string): AsyncGenerator<FileRow, void, undefined> {
  const lines = readLines(path);
  for await (const first of lines) {
    if (first.text.trim() === '') continue;
    const all = following(first, lines);
    if (/^\s*\[/.test(first.text)) {
      for await (const { text, line } of arrayElements(all, path)) {
        yield { row: parse(text, `${path}:${line}`), line };
      }
    } else {
      for await (const { text, line } of all) {
        if (text.trim() !== '') yield { row: parse(text, `${path}:${line}`), line };
      }
    }
    return;
  }
}

async function* following(first: TextLine, others: AsyncIterable<TextLine>) {
  yield first;
  yield* others;
}

function parse(text: string, where: string): unknown {
  try {
    return parseExactJson(text);
  } catch (cause) {
    throw invalidJson(where, whatIsWrong(text, (cause as Error).message), cause);
  }
}

function whatIsWrong(text: string, message: string): string {
  const bare = text.replace(/"(\\.|[^"\\])*"/g, '""');
  const word = /-?\b(NaN|Infinity|None|True|False)\b/.exec(bare)?.[0];
  return word === undefined
    ? `the row is not JSON: ${message}`
    : `${word} is not JSON, though Python writes it`;
}

export function invalidJson(where: string, message: string, cause?: unknown): LlamatuneError {
  return new LlamatuneError('DATASET_INVALID_JSON', `${where}: ${message}`, {
    hint: 'a file has one JSON object per line (JSON Lines), or is one array of objects; write null for a missing number',
    ...(cause === undefined ? {} : { cause }),
  });
}
