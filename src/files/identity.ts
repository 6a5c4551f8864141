import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** What a path leads to, to tell whether two paths lead to the same file. */
export interface FileIdentity {
  /** Absolute, without symbolic links. The file itself may not exist yet. */
  target: string;
  /** Device and inode; null if there is no file, or if its file system has no inodes. */
  inode: string | null;
}

/** As many symbolic links as Linux follows; more are a circle. */
const MOST_LINKS = 40;

/** @throws NodeJS.ErrnoException, such as ELOOP, EACCES or ENOTDIR */
export function identify(path: string): FileIdentity {
  const target = endOfLinks(path);
  const stats = statSync(target, { bigint: true, throwIfNoEntry: false });
  const inode = stats === undefined || stats.ino === 0n ? null : `${stats.dev}:${stats.ino}`;
  return { target, inode };
}

/** Whether both are one file: the same inode (hard links too), or the same name before either exists. */
export function isSameFile(a: FileIdentity, b: FileIdentity, platform = process.platform): boolean {
  if (a.inode !== null && a.inode === b.inode) return true;
  return comparable(a.target, platform) === comparable(b.target, platform);
}

/** Whether `inner` lies below `outer`, at any depth. */
export function isBelow(inner: FileIdentity, outer: FileIdentity): boolean {
  const folder = comparable(outer.target, process.platform);
  return comparable(inner.target, process.platform).startsWith(folder + sep);
}

/** The absolute path without symbolic links, also where it or its folders do not exist yet. */
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
    // EINVAL: not a link. Windows says UNKNOWN for some other kinds of files.
    if (isMissing(error) || code === 'EINVAL' || code === 'UNKNOWN') return undefined;
    throw error;
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Names that the usual file system of a platform takes for one are equal. */
function comparable(path: string, platform: NodeJS.Platform): string {
  const ignoresCase = platform === 'win32' || platform === 'darwin';
  return ignoresCase ? path.normalize('NFC').toLowerCase() : path;
}
