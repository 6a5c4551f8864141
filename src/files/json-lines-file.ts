import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { LlamatuneError, reasonOf } from '../errors.js';
import { replaceFile } from './atomic-file.js';
import { makeFolder } from './folders.js';
import { jsonLines } from './results-files.js';

/**
 * A JSON Lines file that grows row by row. It survives a kill at any time: a last line that is incomplete is dropped when
 * the file is opened again.
 */
export class JsonLinesFile<T extends object> implements Disposable {
  #file: number | null = null;
  readonly #path: string;
  readonly #what: string;
  readonly rows: T[];

  /**
   * Reads the rows that an earlier call has written. The file is created with the first new row.
   *
   * @param what names the rows in errors, e.g. 'samples'
   * @param isRow whether a row has the fields that are read
   * @throws LlamatuneError RESULTS_INVALID
   */
  constructor(path: string, what: string, isRow?: (row: unknown) => boolean) {
    this.#path = path;
    this.#what = what;
    const text = readText(path, what);
    this.rows = rowsOf(text, path, what, isRow);
    const complete = jsonLines(this.rows);
    if (complete !== text) replaceFile(path, complete, what);
  }

  /** @throws LlamatuneError OUTPUT_NOT_WRITABLE */
  add(row: T): void {
    try {
      this.#file ??= this.#open();
      writeSync(this.#file, jsonLines([row]));
    } catch (cause) {
      throw new LlamatuneError(
        'OUTPUT_NOT_WRITABLE',
        `cannot write the ${this.#what} '${this.#path}': ${reasonOf(cause)}`,
        { hint: 'check permissions and free space, then continue with resume (--resume)', cause },
      );
    }
    this.rows.push(row);
  }

  /** Closes the file, sorted, so that it does not depend on the order in which the rows came. */
  finish(compare: (a: T, b: T) => number): T[] {
    this[Symbol.dispose]();
    this.rows.sort(compare);
    replaceFile(this.#path, jsonLines(this.rows), this.#what);
    return this.rows;
  }

  [Symbol.dispose](): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #open(): number {
    makeFolder(dirname(this.#path));
    return openSync(this.#path, 'a');
  }
}

/**
 * Reads the complete lines of such a file; none if there is no file.
 *
 * @throws LlamatuneError RESULTS_INVALID
 */
export const readJsonLinesFile = <T extends object>(
  path: string,
  what: string,
  isRow?: (row: unknown) => boolean,
): T[] => rowsOf(readText(path, what), path, what, isRow);

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw unreadable(path, what, reasonOf(error), error);
  }
}

function rowsOf<T>(
  text: string,
  path: string,
  what: string,
  isRow: (row: unknown) => boolean = () => true,
): T[] {
  // what follows the last line break is empty, or a line that a killed process did not complete
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (cause) {
      throw unreadable(path, what, `line ${i + 1}: ${reasonOf(cause)}`, cause);
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      throw unreadable(path, what, `line ${i + 1} is not a JSON object`);
    }
    if (isRow(row)) return row as T;
    throw unreadable(path, what, `line ${i + 1} lacks a field, or has another value in it`);
  });
}

const unreadable = (path: string, what: string, reason: string, cause?: unknown): LlamatuneError =>
  new LlamatuneError('RESULTS_INVALID', `cannot read the ${what} in '${path}': ${reason}`, {
    hint: 'choose another folder, or remove this one and start again',
    cause,
  });
