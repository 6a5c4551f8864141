import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and its parents, and adds those that did not exist to `newFolders`, parents first. Node's recursive mkdir never
 * returns on a file system that cannot have folders, e.g. /proc.
 */
export function makeFolder(folder: string, newFolders: string[] = []): void {
  const path = resolve(folder);
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  if (dirname(path) !== path) makeFolder(dirname(path), newFolders);
  try {
    mkdirSync(path);
    newFolders.push(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Removes the folders that makeFolder() made, unless something is in them. */
export function removeEmptyFolders(newFolders: readonly string[]): void {
  for (const folder of newFolders.toReversed()) {
    try {
      rmdirSync(folder);
    } catch {} // not empty, or removed by somebody else
  }
}

/** The path itself if it exists, otherwise its nearest existing parent. */
export function nearestExisting(path: string): string {
  const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
  return exists || dirname(path) === path ? path : nearestExisting(dirname(path));
}

/** The names in a folder; none if it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
