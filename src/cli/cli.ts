import { closest } from '../closest.js';
import { LlamatuneError } from '../errors.js';
import { versions } from '../index.js';
import type { Command } from './command.js';
import { errorEvent, errorText, exitCode, exitCodeOf } from './failure.js';
import { commandHelp, programHelp } from './help.js';
import { type CliIo, textWidth } from './io.js';
import { jsonLine } from './json.js';

/** In the order of the help. A command is loaded when it is used, because loading takes longer than many commands. */
const loaders: Readonly<Record<string, () => Promise<Command>>> = {
  finetune: async () => (await import('./finetune-command.js')).finetuneCommand,
  generate: async () => (await import('./generate-command.js')).generateCommand,
  judge: async () => (await import('./judge-command.js')).judgeCommand,
  evaluate: async () => (await import('./evaluate-command.js')).evaluateCommand,
  raft: async () => (await import('./raft-command.js')).raftCommand,
  report: async () => (await import('./report-command.js')).reportCommand,
  bench: async () => (await import('./bench-command.js')).benchCommand,
  inspect: async () => (await import('./inspect-command.js')).inspectCommand,
  export: async () => (await import('./adapter-commands.js')).exportCommand,
  import: async () => (await import('./adapter-commands.js')).importCommand,
  merge: async () => (await import('./adapter-commands.js')).mergeCommand,
  devices: async () => (await import('./devices-command.js')).devicesCommand,
  test: async () => (await import('./test-command.js')).testCommand,
};
const names = Object.keys(loaders);

export const loadCommand = async (name: string): Promise<Command | undefined> =>
  Object.hasOwn(loaders, name) ? loaders[name]!() : undefined;

export const loadCommands = (): Promise<Command[]> =>
  Promise.all(Object.values(loaders).map((load) => load()));

/**
 * Runs one command line and returns its exit code; never throws and never ends the process.
 *
 * An error goes to standard error for people, or with `--json` to standard output as the last line of the stream.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    const signal = io.signal.aborted ? (io.signal.reason as NodeJS.Signals) : undefined;
    const aborted = error instanceof LlamatuneError && error.code === 'ABORTED';
    // If standard output is closed, the error goes to standard error.
    if (argv.includes('--json') && !io.outputClosed.aborted) {
      io.stdout.write(jsonLine(errorEvent(error)));
    } else if (aborted && signal !== undefined) {
      io.stderr.write(`interrupted by ${signal}\nhint: ${error.hint}\n`);
    } else io.stderr.write(errorText(error, io.env.LLAMATUNE_DEBUG === '1'));
    return exitCodeOf(error, signal);
  }
}

async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  const [name, ...args] = argv;
  if (name === '--version' || name === '-v') {
    const lines = Object.entries(versions()).map(([part, version]) => `${part} ${version}`);
    io.stdout.write(`${lines.join('\n')}\n`);
    return exitCode.ok;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const requested = await loadCommand(args[0] ?? '');
    const text = requested
      ? commandHelp(requested.help, textWidth(io))
      : programHelp(
          (await loadCommands()).map(({ help }) => help),
          textWidth(io),
        );
    // A missing command is a usage error, so the help goes to standard error.
    (name === undefined ? io.stderr : io.stdout).write(text);
    return name === undefined ? exitCode.usage : exitCode.ok;
  }
  const found = await loadCommand(name);
  if (!found) {
    const nearest = closest(name, names);
    throw new LlamatuneError(
      'USAGE_INVALID',
      `expected a command (${names.join(', ')}) but received '${name}'`,
      { hint: nearest ? `did you mean '${nearest}'?` : "run 'llamatune --help'" },
    );
  }
  const inner = found.subcommands?.find(({ help }) => help.name === `${name} ${args[0]}`);
  const command = inner ?? found;
  if (args.includes('--help') || args.includes('-h')) {
    io.stdout.write(commandHelp(command.help, textWidth(io)));
    return exitCode.ok;
  }
  await command.run(inner === undefined ? args : args.slice(1), io);
  return exitCode.ok;
}
