import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SourceFile } from './import-rules.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The files below a folder of the repository whose names match; their paths are relative to that folder. */
export function filesUnder(tree: string, pattern: RegExp): SourceFile[] {
  const folder = join(root, tree);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes(`${sep}node_modules${sep}`))
    .map((path) => ({
      path: relative(folder, path).split(sep).join('/'),
      text: readFileSync(path, 'utf8'),
    }));
}
