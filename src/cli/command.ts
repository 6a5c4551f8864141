import type { CommandHelp } from './help.js';
import type { CliIo } from './io.js';

/** A command of the command line. */
export interface Command {
  help: CommandHelp;
  /** @param args the arguments after the command name */
  run(args: readonly string[], io: CliIo): Promise<void>;
  /** Commands whose name is the name of this one and one more word. */
  subcommands?: readonly Command[];
}
