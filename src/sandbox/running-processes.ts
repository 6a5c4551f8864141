import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';

/**
 * Number of processes of this user, on Linux with their threads: the limit on processes counts all of them, wherever they
 * were started.
 */
export function runningProcesses(): number {
  const user = process.getuid?.();
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'uid='], { encoding: 'utf8' });
    return (stdout ?? '').split('\n').filter((line) => Number(line.trim() || Number.NaN) === user)
      .length;
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .reduce((sum, pid) => sum + threadsOf(pid, user), 0);
}

function threadsOf(pid: string, user: number | undefined): number {
  try {
    return statSync(`/proc/${pid}`).uid === user ? readdirSync(`/proc/${pid}/task`).length : 0;
  } catch {
    return 0; // it has ended
  }
}
