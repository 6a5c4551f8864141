import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

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
 * /proc. Memory that processes share counts for each of them, and open files in memory (memfd) count once more.
 */
export function memoryOfTree(pid: number): number {
  const processes = descendants(pid);
  const files = new Map(processes.flatMap(memoryFiles));
  return sum(processes.map(mappedMemory)) + sum([...files.values()]);
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function mappedMemory(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const sizes = status.matchAll(/^Rss(?:Anon|Shmem):\s*(\d+) kB$/gm);
    return 1024 * sum(Array.from(sizes, ([, size]) => Number(size)));
  } catch {
    return 0; // it has ended
  }
}

/** Inode and size of each file in memory without a name that a process has open. */
function memoryFiles(pid: number): [inode: number, bytes: number][] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).flatMap((fd): [number, number][] => {
      const path = `${folder}/${fd}`;
      if (!readlinkSync(path).startsWith('/memfd:')) return [];
      const { ino, blocks } = statSync(path);
      return [[ino, 512 * blocks]];
    });
  } catch {
    return []; // it has ended, or belongs to another user
  }
}
