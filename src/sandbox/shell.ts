import type { SandboxLimits } from '../config/sandbox.js';

/** A text as one word of a shell script. */
export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const words = (command: readonly string[]): string => command.map(quote).join(' ');

/**
 * Commands of POSIX sh that set resource limits for what follows. Only a limit above an existing one can fail, which then
 * stays. dash has `ulimit -p` for the number of processes where other shells have `-u`.
 */
export function ulimits(limits: SandboxLimits, options: { addressSpace: boolean }): string {
  const kibibytes = Math.ceil(limits.memoryBytes / 1024);
  return [
    'ulimit -c 0',
    `ulimit -t ${limits.cpuSeconds}`,
    `ulimit -f ${Math.ceil(limits.fileBytes / 512)}`,
    `ulimit -n ${limits.openFiles}`,
    ...(options.addressSpace ? [`ulimit -v ${kibibytes}`] : []),
    `ulimit -d ${kibibytes}`,
    `ulimit -u ${limits.processes} 2>/dev/null || ulimit -p ${limits.processes}`,
  ]
    .map((command) => `${command} 2>/dev/null || :`)
    .join('\n');
}

/** `env` with nothing but these variables. */
export const cleanEnvironment = (variables: Readonly<Record<string, string>>): string[] => [
  ...['env', '-i'],
  ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
];

/** The environment of every program. */
export const variables = (path: string, folder: string): Record<string, string> => ({
  PATH: path,
  LANG: 'C.UTF-8',
  HOME: folder,
  TMPDIR: folder,
});
