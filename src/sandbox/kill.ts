import { type ChildProcess, spawnSync } from 'node:child_process';

const windows = process.platform === 'win32';

/** Options of spawn() for a process that killTree() can end. On POSIX it has its own session and process group. */
export const killable = { detached: !windows, windowsHide: true } as const;

/** Kills a process with its process group, on Windows with its descendants. Does nothing if it has ended. */
export function killTree({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  if (windows) {
    spawnSync('taskkill', ['/pid', String(pid), '/t', '/f'], { stdio: 'ignore' });
    return;
  }
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {} // it has ended
}
