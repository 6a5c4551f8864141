import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native, ready } from '../contract/load.js';
import { LlamatuneError } from '../errors.js';
import { atExit } from './at-exit.js';
import { namesIn } from './folders.js';

const PREFIX = 'llamatune-';
const NAME = /^llamatune-[A-Za-z0-9]{6}$/;
/** A file that the process that made the folder locks until it ends. */
const LOCK = '.lock';

/**
 * Runs `work` with a new folder, which is removed afterwards. Folders whose process was killed are removed first.
 *
 * @throws LlamatuneError TEMPORARY_FOLDER_NOT_WRITABLE
 */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await ready();
  removeDeadFolders(tmpdir());
  const { folder, release } = makeFolder();
  const remove = () => {
    release();
    removeFolder(folder);
  };
  const forget = atExit(remove);
  try {
    return await work(folder);
  } finally {
    forget();
    remove();
  }
}

function makeFolder(): { folder: string; release: () => void } {
  const parent = tmpdir();
  let folder: string | undefined;
  try {
    for (;;) {
      folder = mkdtempSync(join(parent, PREFIX));
      const { state, release } = lock(folder);
      // Busy: another process is about to remove the folder, which was not locked yet. Make another one.
      if (state !== 'busy') return { folder, release };
    }
  } catch (cause) {
    if (folder !== undefined) removeFolder(folder);
    throw temporaryNotWritable(`the folder for temporary files '${parent}'`, cause);
  }
}

/** @param what the file or folder in question */
export function temporaryNotWritable(what: string, cause: unknown): LlamatuneError {
  const variable = process.platform === 'win32' ? 'TEMP' : 'TMPDIR';
  const message = `cannot write to ${what}: ${(cause as Error).message}`;
  return new LlamatuneError('TEMPORARY_FOLDER_NOT_WRITABLE', message, {
    hint: `set the environment variable ${variable} to a folder that you may write to, with enough space for the dataset`,
    cause,
  });
}

const lock = (folder: string) => native((addon) => addon.lockFile(join(folder, LOCK)));

/** Removes a folder. If that fails, e.g. because of an open file on Windows, the next run removes it. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 2 });
  } catch {}
}

/**
 * Removes the folders of killed processes: folders of this user with our name and a lock file that is not locked. Skips
 * symbolic links, and folders without a lock file, which may just have been made.
 */
function removeDeadFolders(parent: string): void {
  // If the parent cannot be read, makeFolder() reports it.
  for (const name of namesIn(parent)) {
    const folder = join(parent, name);
    try {
      if (!NAME.test(name) || !isOurs(folder, 'folder') || !isOurs(join(folder, LOCK), 'file')) {
        continue;
      }
      const { state, release } = lock(folder);
      if (state !== 'held') continue;
      release();
      removeFolder(folder);
    } catch {} // removed in the meantime
  }
}

/** Whether a path is of this kind (not through a symbolic link) and belongs to this user. */
function isOurs(path: string, kind: 'file' | 'folder'): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  const isKind = kind === 'file' ? stats.isFile() : stats.isDirectory();
  return isKind && (process.getuid === undefined || stats.uid === process.getuid());
}
