import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** Identifies the file that a path leads to, to compare paths. */
export interface FileIdentity {
  /** Absolute, without symbolic links. The file itself may not exist yet. */
  target: string;
  /** Device and inode; null if there is no file, or if its file system has no inodes. */
  inode: string | null;
}

/** The most symbolic links that Linux follows; more mean a cycle. */
const MOST_LINKS = 40;

/** Whether a path leads to something that is there and not a file, e.g. a terminal or a pipe, which several runs can share. */
export function isDevice(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && !stats.isFile();
}

/** @throws NodeJS.ErrnoException, such as ELOOP, EACCES or ENOTDIR */
export function identify(path: string): FileIdentity {
  const target = endOfLinks(path);
  const stats = statSync(target, { bigint: true, throwIfNoEntry: false });
  const inode = stats === undefined || stats.ino === 0n ? null : `${stats.dev}:${stats.ino}`;
  return { target, inode };
}

/** Whether both are the same file: the same inode (also through hard links), or the same name. */
export function isSameFile(a: FileIdentity, b: FileIdentity, platform = process.platform): boolean {
  if (a.inode !== null && a.inode === b.inode) return true;
  return comparable(a.target, platform) === comparable(b.target, platform);
}

/** Whether `inner` is inside `outer`, at any depth. */
export function isBelow(inner: FileIdentity, outer: FileIdentity): boolean {
  const folder = comparable(outer.target, process.platform);
  return comparable(inner.target, process.platform).startsWith(folder + sep);
}

/** The absolute path without symbolic links, also for files and folders that do not exist yet. */
export function endOfLinks(path: string): string {
  let target = resolve(path);
  for (let links = 0; links <= MOST_LINKS; links++) {
    target = join(realFolder(dirname(target)), basename(target));
    const next = readLink(target);
    if (next === undefined) return target;
    target = resolve(dirname(target), next);
  }
  const error: NodeJS.ErrnoException = new Error(`ELOOP: too many symbolic links, '${path}'`);
  error.code = 'ELOOP';
  throw error;
}

function realFolder(folder: string): string {
  try {
    return realpathSync.native(folder);
  } catch (error) {
    if (!isMissing(error) || dirname(folder) === folder) throw error;
    return join(realFolder(dirname(folder)), basename(folder));
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EINVAL: not a link. Windows reports UNKNOWN for some other kinds of files.
    if (isMissing(error) || code === 'EINVAL' || code === 'UNKNOWN') return undefined;
    throw error;
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Normalizes a path, so that names are equal if the usual file system of the platform treats them as equal. */
function comparable(path: string, platform: NodeJS.Platform): string {
  const ignoresCase = platform === 'win32' || platform === 'darwin';
  return ignoresCase ? path.normalize('NFC').toLowerCase() : path;
}
