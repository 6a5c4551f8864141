import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { LlamatuneError } from '../errors.js';
import { makeFolder } from './folders.js';
import { endOfLinks } from './identity.js';
import { temporaryName } from './names.js';

/**
 * Writes a file atomically: writes a temporary file in the same folder, flushes it to disk and renames it. After an error
 * the old file is unchanged. A symbolic link is kept and its target replaced; permissions are kept.
 *
 * @param what names the file in the error, e.g. 'loss curve'
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export function replaceFile(
  path: string,
  content: string | readonly Uint8Array[],
  what: string,
): void {
  try {
    const target = endOfLinks(path);
    makeFolder(dirname(target));
    const temporary = temporaryName(target);
    try {
      writeToDisk(temporary, content);
      const replaced = statSync(target, { throwIfNoEntry: false });
      if (replaced !== undefined) chmodSync(temporary, replaced.mode & 0o7777);
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    syncFolder(dirname(target));
  } catch (cause) {
    throw new LlamatuneError(
      'OUTPUT_NOT_WRITABLE',
      `cannot write the ${what} '${path}': ${(cause as Error).message}`,
      { hint: 'choose another path, or check permissions and free space', cause },
    );
  }
}

function writeToDisk(path: string, content: string | readonly Uint8Array[]): void {
  const file = openSync(path, 'w');
  try {
    for (const part of typeof content === 'string' ? [content] : content) writeFileSync(file, part);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Flushes the rename to disk. Windows and some file systems do not support this, which is not an error. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {}
}
