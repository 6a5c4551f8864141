import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { globSync, isDynamicPattern } from 'tinyglobby';
import { type DatasetFileSource, namesFile } from '../config/fields.js';
import { LlamatuneError } from '../errors.js';

/** A dataset file, and how often each of its samples is used in an epoch. */
export interface DatasetFile {
  path: string;
  weight: number;
}

/** Whether a dataset names files, rather than being rows. */
export function namesFiles(dataset: unknown): boolean {
  if (namesFile(dataset)) return true;
  return Array.isArray(dataset) && dataset.length > 0 && dataset.every(namesFile);
}

/**
 * The files that a dataset names, in order: those of a pattern sorted by name. Empty for rows from memory.
 *
 * @throws LlamatuneError DATASET_NOT_FOUND for a pattern without files, and for a URL of no local file
 */
export function datasetFiles(dataset: unknown): DatasetFile[] {
  if (!namesFiles(dataset)) return [];
  return (
    Array.isArray(dataset) ? (dataset as DatasetFileSource[]) : [dataset as DatasetFileSource]
  ).flatMap((given) => {
    const plain = typeof given === 'string' || given instanceof URL;
    const { path, weight = 1 } = plain ? { path: given } : given;
    return pathsOf(path).map((each) => ({ path: each, weight }));
  });
}

function pathsOf(given: string | URL): string[] {
  if (given instanceof URL || given.startsWith('file:')) return [pathOfUrl(given)];
  if (existsSync(given) || !isDynamicPattern(given)) return [given];
  const paths = globSync(given, { expandDirectories: false }).sort();
  if (paths.length > 0) return paths.map((path) => resolve(path));
  throw new LlamatuneError('DATASET_NOT_FOUND', `no file matches the pattern ${given}`, {
    hint: 'check the pattern, and the folder that it starts from',
  });
}

function pathOfUrl(url: string | URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new LlamatuneError(
      'DATASET_NOT_FOUND',
      `no file has the URL ${url}: ${(cause as Error).message}`,
      { hint: "use a path, or a URL such as 'file:///data/train.jsonl'", cause },
    );
  }
}
