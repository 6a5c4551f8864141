import { readdirSync, readFileSync } from 'node:fs';

/** A process and all of its descendants; empty on systems without /proc. */
function descendants(pid: number): number[] {
  const found = [pid];
  for (const each of found) {
    try {
      for (const thread of readdirSync(`/proc/${each}/task`)) {
        const children = readFileSync(`/proc/${each}/task/${thread}/children`, 'utf8');
        found.push(...(children.match(/\d+/g) ?? []).map(Number));
      }
    } catch {} // it has ended
  }
  return found;
}

/**
 * Memory in bytes that a process and all of its descendants use, without that of mapped files; 0 on systems without
 * /proc. Memory that processes share counts for each of them.
 */
export function memoryOfTree(pid: number): number {
  let kibibytes = 0;
  for (const each of descendants(pid)) {
    try {
      const status = readFileSync(`/proc/${each}/status`, 'utf8');
      for (const [, size] of status.matchAll(/^Rss(?:Anon|Shmem):\s*(\d+) kB$/gm)) {
        kibibytes += Number(size);
      }
    } catch {} // it has ended
  }
  return kibibytes * 1024;
}
