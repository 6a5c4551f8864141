import { closest } from '../closest.js';
import { LlamatuneError } from '../errors.js';
import { versions } from '../index.js';
import { exportCommand, importCommand, mergeCommand } from './adapter-commands.js';
import { benchCommand } from './bench-command.js';
import type { Command } from './command.js';
import { devicesCommand } from './devices-command.js';
import { evaluateCommand } from './evaluate-command.js';
import { errorEvent, errorText, exitCode, exitCodeOf } from './failure.js';
import { finetuneCommand } from './finetune-command.js';
import { generateCommand } from './generate-command.js';
import { commandHelp, programHelp } from './help.js';
import { inspectCommand } from './inspect-command.js';
import { type CliIo, textWidth } from './io.js';
import { jsonLine } from './json.js';
import { judgeCommand } from './judge-command.js';
import { raftCommand } from './raft-command.js';
import { reportCommand } from './report-command.js';
import { testCommand } from './test-command.js';

export const commands: readonly Command[] = [
  finetuneCommand,
  generateCommand,
  judgeCommand,
  evaluateCommand,
  raftCommand,
  reportCommand,
  benchCommand,
  inspectCommand,
  exportCommand,
  importCommand,
  mergeCommand,
  devicesCommand,
  testCommand,
];

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
  const helps = commands.map(({ help }) => help);
  if (name === '--version' || name === '-v') {
    const lines = Object.entries(versions()).map(([part, version]) => `${part} ${version}`);
    io.stdout.write(`${lines.join('\n')}\n`);
    return exitCode.ok;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const requested = commands.find(({ help }) => help.name === args[0]);
    const text = requested
      ? commandHelp(requested.help, textWidth(io))
      : programHelp(helps, textWidth(io));
    // A missing command is a usage error, so the help goes to standard error.
    (name === undefined ? io.stderr : io.stdout).write(text);
    return name === undefined ? exitCode.usage : exitCode.ok;
  }
  const found = commands.find(({ help }) => help.name === name);
  if (!found) {
    const names = helps.map((help) => help.name);
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
