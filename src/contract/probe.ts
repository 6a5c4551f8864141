import { spawn, spawnSync } from 'node:child_process';

/** A GPU back end that is installed but could not be loaded, e.g. because of a broken driver. */
export interface UnusableBackend {
  /** 'vulkan', 'cuda', 'hip', or the path in GGML_BACKEND_PATH. */
  backend: string;
  reason: string;
}

const TIMEOUT_MS = 60_000;

/**
 * The script of the child process: it loads the back end and asks its devices for their memory, which starts the driver.
 * It is run by `node -e`, because a bundler or an asar archive could hide a file.
 */
const SCRIPT = `
const [file, folder, backend] = process.argv.slice(1);
const addon = require(file);
addon.loadBackends(folder, [backend]);
addon.systemInfo();
process.stdout.write('usable');
process.exit(0);
`;

/** Whether back ends are loaded in a child process first; LLAMATUNE_PROBE=off skips that. */
export const probing = (): boolean => process.env.LLAMATUNE_PROBE !== 'off';

function command(file: string, folder: string, backend: string) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return {
    args: ['-e', SCRIPT, file, folder, backend],
    // Makes Electron's executable behave as Node.js; Node.js itself ignores it.
    options: { env: { ...env, ELECTRON_RUN_AS_NODE: '1' }, windowsHide: true } as const,
  };
}

/** Loads one back end in a child process. Returns why it cannot be used, or undefined if it can. */
export async function probe(
  file: string,
  folder: string,
  backend: string,
): Promise<string | undefined> {
  const { args, options } = command(file, folder, backend);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status, signal) => resolve(reasonOf(stdout, stderr, status, signal)));
  });
}

/** Like probe(), but synchronous. */
export function probeSync(file: string, folder: string, backend: string): string | undefined {
  const { args, options } = command(file, folder, backend);
  const { stdout, stderr, status, signal, error } = spawnSync(process.execPath, args, {
    ...options,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  return reasonOf(stdout ?? '', stderr || (error?.message ?? ''), status, signal);
}

function reasonOf(
  stdout: string,
  stderr: string,
  status: number | null,
  signal: NodeJS.Signals | null,
): string | undefined {
  if (status === 0 && stdout.includes('usable')) return undefined;
  const end = signal === null ? `ended with exit code ${status}` : `was ended by ${signal}`;
  const firstLine = stderr
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('at '));
  return `a process that loaded it ${end}${firstLine === undefined ? '' : `: ${firstLine}`}`;
}
