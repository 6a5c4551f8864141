import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes a folder and its parents. Node's own recursive mkdir never returns in a file system that takes none, as /proc. */
export function makeFolder(folder: string): void {
  const path = resolve(folder);
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The nearest folder above a path, or the path itself, that exists. */
export function nearestExisting(path: string): string {
  const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
  return exists || dirname(path) === path ? path : nearestExisting(dirname(path));
}
