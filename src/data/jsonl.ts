import { LlamatuneError } from '../errors.js';
import { readLines } from './lines.js';
import type { FileRow } from './readers.js';

/**
 * Reads a JSON Lines file. A byte-order mark, Windows line ends and blank lines are accepted.
 *
 * @throws LlamatuneError DATASET_INVALID_JSON with file and line, and what readLines() throws.
 */
export async function* readJsonl(path: string): AsyncGenerator<FileRow, void, undefined> {
  for await (const { text, line } of readLines(path)) {
    if (text.trim() !== '') yield { row: parse(text, `${path}:${line}`), line };
  }
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LlamatuneError(
      'DATASET_INVALID_JSON',
      `${where}: the line is not a JSON object: ${(cause as Error).message}`,
      { hint: 'a JSON Lines file has one JSON object per line', cause },
    );
  }
}
