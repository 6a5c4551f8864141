import type { CommandHelp } from './help.js';
import type { CliIo } from './io.js';

/** A command of the program. */
export interface Command {
  help: CommandHelp;
  /** @param args what stands after the command's name */
  run(args: readonly string[], io: CliIo): Promise<void>;
}
