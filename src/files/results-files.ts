import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { LlamatuneError, reasonOf } from '../errors.js';

/**
 * Refuses a folder that has files which a call would overwrite.
 *
 * @param names of the files and folders that the call writes
 * @throws LlamatuneError RESULTS_EXIST
 */
export function refuseExisting(
  folder: string,
  names: readonly string[],
  hint = 'choose another folder',
): void {
  const found = names.filter((name) => existsSync(join(folder, name)));
  if (found.length === 0) return;
  throw new LlamatuneError(
    'RESULTS_EXIST',
    `'${folder}' already has ${found.join(', ')}, which would be overwritten`,
    { hint },
  );
}

/**
 * Reads a JSON file of results that an earlier call wrote.
 *
 * @param hint says which file to pass
 * @throws LlamatuneError RESULTS_INVALID
 */
export function readResultsFile<S extends z.ZodType>(
  path: string,
  schema: S,
  hint: string,
): z.output<S> {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw invalid(path, reasonOf(cause), hint, cause);
  }
  const parsed = schema.safeParse(found);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw invalid(path, `${issue.path.join('.') || 'the file'}: ${issue.message}`, hint);
}

function invalid(path: string, reason: string, hint: string, cause?: unknown): LlamatuneError {
  return new LlamatuneError('RESULTS_INVALID', `cannot read the results in '${path}': ${reason}`, {
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Names of the values that differ, in the form after writing and reading JSON. */
export function differentNames(
  found: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): string[] {
  const names = new Set([...Object.keys(found), ...Object.keys(wanted)]);
  return [...names].filter((name) => !isDeepStrictEqual(plain(found[name]), plain(wanted[name])));
}

const plain = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));

/** Says how to continue what a folder already has. */
export const HOW_TO_CONTINUE = 'continue it with resume (--resume), or choose another folder';

/** The error of continuing a run with other values of these names. */
export const runMismatch = (folder: string, names: readonly string[]): LlamatuneError =>
  new LlamatuneError(
    'RESULTS_MISMATCH',
    `the run in '${folder}' has another value of ${names.join(', ')}`,
    { hint: 'continue with the same options, data and model, or choose another folder' },
  );

/** The error of an aborted run whose folder keeps what is finished. */
export const abortedRun = (folder: string, cause: unknown): LlamatuneError =>
  new LlamatuneError('ABORTED', 'the run was aborted', {
    hint: `what is finished is kept in '${folder}': continue with resume (--resume)`,
    cause,
  });

/** Rows as JSON Lines. */
export const jsonLines = (rows: readonly object[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** Results as indented JSON. */
export const indentedJson = (results: object): string => `${JSON.stringify(results, null, 2)}\n`;
