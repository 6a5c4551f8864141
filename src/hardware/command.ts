import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { atExit } from '../files/at-exit.js';

/** A tool that takes longer does not measure anything useful. */
const TIMEOUT_MS = 5000;
/** More output than any of the tools writes. */
const LONGEST_OUTPUT = 4_000_000;

/** Thrown if a command does not exist. */
class CommandNotFound extends Error {}

/**
 * Runs a tool and returns its standard output, or null if there is no such command. The process is killed if it takes longer
 * than 5 s, or when `signal` aborts.
 *
 * @throws Error that says how the tool failed
 */
export async function runTool(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | null> {
  let output = '';
  const tool = startTool(command, args, signal);
  const timer = setTimeout(() => tool.kill(), TIMEOUT_MS);
  tool.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    if (output.length > LONGEST_OUTPUT) tool.kill();
  });
  try {
    await tool.ended;
    return output;
  } catch (error) {
    if (error instanceof CommandNotFound) return null;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Starts a tool that writes a line for each measurement until it is stopped, and resolves after the first line that `onLine`
 * could read, or to null if there is no such command.
 *
 * @param onLine returns whether the line was a measurement
 * @throws Error that says how the tool failed
 */
export async function streamTool(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  onLine: (line: string) => boolean,
): Promise<{ ended: Promise<void> } | null> {
  const tool = startTool(command, args, signal);
  const ended = tool.ended.then(
    () => {},
    () => {},
  );
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${command} reported nothing for ${TIMEOUT_MS / 1000} s`));
      }, TIMEOUT_MS);
      createInterface({ input: tool.process.stdout! }).on('line', (line) => {
        if (!onLine(line)) return;
        clearTimeout(timer);
        resolve();
      });
      tool.ended.then(() => reject(new Error(`${command} ended without a measurement`)), reject);
      void ended.then(() => clearTimeout(timer));
    });
    return { ended };
  } catch (error) {
    tool.kill();
    await ended;
    if (error instanceof CommandNotFound) return null;
    throw error;
  }
}

interface Tool {
  process: ChildProcess;
  /** Rejects if the tool does not exist, failed or was killed. */
  ended: Promise<void>;
  kill: () => void;
}

function startTool(command: string, args: readonly string[], signal: AbortSignal): Tool {
  signal.throwIfAborted();
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    windowsHide: true,
    // its own process group, so that the processes it starts are killed with it
    detached: process.platform !== 'win32',
    // numbers with decimal points
    env: { ...process.env, LC_ALL: 'C' },
  });
  const kill = () => killGroup(child);
  signal.addEventListener('abort', kill, { once: true });
  const forget = atExit(kill);
  const ended = endOf(child, command).finally(() => {
    forget();
    signal.removeEventListener('abort', kill);
  });
  ended.catch(() => {}); // whoever awaits it handles it
  return { process: child, ended, kill };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill();
    else process.kill(-child.pid, 'SIGKILL');
  } catch {} // it has ended, or it is a process of sudo, which cannot be killed and ends by itself
  child.stdout?.destroy();
}

async function endOf(child: ChildProcess, command: string): Promise<void> {
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null];
    if (code === 0) return;
    throw new Error(`${command} ended with ${killedBy ?? `code ${code}`}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ENOENT' ? new CommandNotFound(command) : error;
  }
}
