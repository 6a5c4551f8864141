import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { native, ready } from '../contract/load.js';
import { LlamatuneError } from '../errors.js';
import { atExit } from './at-exit.js';
import { type CallFiles, checkFiles, type OutputFile } from './check.js';
import { namesIn, removeEmptyFolders } from './folders.js';
import { endOfLinks, isDevice } from './identity.js';
import {
  isCheckpointName,
  isLockOfCheckpointName,
  isTemporaryCheckpoint,
  isTemporaryOf,
  lockOfFile,
  lockOfFolder,
} from './names.js';

/** checkFiles(), then holdOutputs(). */
export async function useFiles<T>(files: CallFiles, work: () => Promise<T>): Promise<T> {
  return holdOutputs(files.outputs, work, checkFiles(files));
}

/**
 * Runs `work` while no other run, in this process or another one, can hold the same outputs.
 *
 * @param newFolders the folders that checkFiles() made; if `work` fails, those without a file are removed
 * @throws LlamatuneError OUTPUT_IN_USE with all of them in `problems`
 */
export async function holdOutputs<T>(
  outputs: readonly OutputFile[],
  work: () => Promise<T>,
  newFolders: readonly string[],
): Promise<T> {
  try {
    await ready();
    const release = lockOutputs(outputs);
    try {
      return await work();
    } finally {
      release();
    }
  } catch (error) {
    removeEmptyFolders(newFolders);
    throw error;
  }
}

/**
 * Like holdOutputs(), until the returned function is called. The operating system releases the lock when the process ends,
 * in whatever way. Removes temporary files that killed writers of these outputs left behind.
 */
export function lockOutputs(outputs: readonly OutputFile[]): () => void {
  const held: (() => void)[] = [];
  const release = () => {
    for (const each of held.splice(0)) each();
  };
  const busy: { field: string; message: string }[] = [];
  try {
    for (const { field, path, kind } of outputs) {
      if (kind === 'log' && isDevice(path)) continue;
      const target = endOfLinks(path);
      const lock = kind === 'folder' ? lockOfFolder(target) : lockOfFile(target);
      const releaseLock = takeLock(lock, path);
      if (releaseLock !== 'busy') held.push(releaseLock);
      const owner = releaseLock === 'busy' ? lock : heldElsewhere(target, kind, path);
      if (owner === undefined) removeLeftovers(target, kind);
      else busy.push({ field, message: `${ownerOf(owner)} writes to '${path}'` });
    }
  } catch (error) {
    release();
    throw error;
  }
  if (busy.length > 0) {
    release();
    throw new LlamatuneError(
      'OUTPUT_IN_USE',
      busy.map(({ field, message }) => `${field}: ${message}`).join('; '),
      {
        hint: 'wait until it ends, or choose another path',
        problems: busy.map(({ field, message }) => ({ path: field, message })),
      },
    );
  }
  return release;
}

/**
 * The lock of another run that may write the same checkpoint: of the folder of an output that is named like a checkpoint,
 * or of such an output in a checkpoint folder. The caller holds its own lock, so one of two runs finds the other.
 */
function heldElsewhere(target: string, kind: OutputFile['kind'], path: string): string | undefined {
  return othersOf(target, kind).find((lock) => {
    if (!existsSync(lock)) return false;
    const release = takeLock(lock, path);
    if (release !== 'busy') release();
    return release === 'busy';
  });
}

function othersOf(target: string, kind: OutputFile['kind']): string[] {
  if (kind !== 'folder') return isCheckpointName(target) ? [lockOfFolder(dirname(target))] : [];
  return namesIn(target)
    .filter(isLockOfCheckpointName)
    .map((name) => join(target, name));
}

function takeLock(lock: string, path: string): 'busy' | (() => void) {
  const taken = native((addon) => addon.lockFile(lock));
  if (taken.state === 'busy') return 'busy';
  if (taken.state === 'unsupported') {
    process.emitWarning(`the file system of '${path}' has no locks`, {
      code: 'LLAMATUNE_OUTPUT_NOT_LOCKED',
      detail: 'Two runs that write there at the same time are not detected.',
    });
    return () => {};
  }
  const forget = atExit(taken.release);
  return () => {
    forget();
    taken.release();
  };
}

function ownerOf(lock: string): string {
  let id = '';
  try {
    id = readFileSync(lock, 'utf8').trim();
  } catch {} // released in the meantime
  if (id === String(process.pid)) return 'another run in this process';
  return id === '' ? 'another run' : `another run (process ${id})`;
}

/** Removes temporary files of an output. The lock is held, so the processes that wrote them have ended. */
function removeLeftovers(target: string, kind: OutputFile['kind']): void {
  const folder = kind === 'folder' ? target : dirname(target);
  const isLeftover = (name: string) =>
    kind === 'folder' ? isTemporaryCheckpoint(name) : isTemporaryOf(target, name);
  try {
    for (const name of namesIn(folder)) {
      if (isLeftover(name)) rmSync(join(folder, name), { force: true });
    }
  } catch {} // a file belongs to another user: leave it
}
