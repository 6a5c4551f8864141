import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Finished {
  exit: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a Node script of this repository and waits for its end. */
export function runNode(
  args: readonly string[],
  options: {
    input?: string;
    env?: Record<string, string>;
    onOutput?: (text: string, child: ChildProcessWithoutNullStreams) => void;
  } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    const child = spawn(process.execPath, args, { cwd: root, env });
    const finished: Finished = { exit: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      finished.stdout += text;
      options.onOutput?.(finished.stdout, child);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      finished.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exit) => resolve({ ...finished, exit }));
    child.stdin.end(options.input ?? '');
  });
}

/** Runs the built command line, as a shell would. */
export function llamatune(
  args: readonly string[],
  options: Parameters<typeof runNode>[1] = {},
): Promise<Finished> {
  if (!existsSync(main)) throw new Error(`${main} is missing: run "npm run build:ts" first`);
  return runNode([main, ...args], options);
}

/** The objects of a JSON Lines stream. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
