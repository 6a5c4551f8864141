import { type CliOption, commonOptions } from './option.js';

export interface CommandHelp {
  name: string;
  /** One line. */
  summary: string;
  usage: string;
  options: readonly CliOption[];
  /** Command lines, each with a short description. */
  examples: readonly { line: string; what: string }[];
  /** Paragraphs after the options. */
  notes?: readonly string[];
}

/** The help text of one command, wrapped at `width`; examples are not wrapped. */
export function commandHelp(help: CommandHelp, width: number): string {
  const required = help.options.filter(({ required }) => required);
  const sections = [
    `Usage: llamatune ${help.usage}`,
    wrap(help.summary, width, ''),
    section(
      'Examples',
      help.examples.map(({ line, what }) => `  # ${what}\n  ${line}`).join('\n\n'),
    ),
    section('Required', optionList(required, width)),
    section(
      'Options',
      optionList(
        help.options.filter((option) => !option.required),
        width,
      ),
    ),
    section('Common', optionList(commonOptions, width)),
    ...(help.notes ?? []).map((note) => wrap(note, width, '')),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

/** The help text of the whole program. */
export function programHelp(commands: readonly CommandHelp[], width: number): string {
  const nameWidth = Math.max(...commands.map(({ name }) => name.length)) + 2;
  const list = commands
    .map(({ name, summary }) => {
      const text = wrap(summary, width, ' '.repeat(nameWidth + 2)).trimStart();
      return `  ${name.padEnd(nameWidth)}${text}`;
    })
    .join('\n');
  return `${[
    'Usage: llamatune <command> [options]',
    wrap('Fine-tune any GGUF model with LoRA, generate text and measure speed.', width, ''),
    section('Commands', list),
    section(
      'Options',
      '  --version  Show the versions of llamatune, llama.cpp and Node.js.\n' +
        '  --help     Show this help; after a command, its options.',
    ),
    section(
      'Exit codes',
      '  0  done\n  1  failed\n  2  bad usage or invalid configuration\n  128 + n  ended by signal n, such as 130 for Ctrl-C',
    ),
  ].join('\n\n')}\n`;
}

function section(title: string, body: string): string {
  return body === '' ? '' : `${title}:\n${body}`;
}

function optionList(options: readonly CliOption[], width: number): string {
  const indent = ' '.repeat(6);
  return options
    .map((option) => {
      const short = option.short ? `-${option.short}, ` : '';
      const type = option.typeText === 'flag' ? '' : ` <${option.typeText}>`;
      const fallback = option.defaultText === undefined ? '' : ` Default: ${option.defaultText}.`;
      return `  ${short}--${option.name}${type}\n${wrap(option.description + fallback, width, indent)}`;
    })
    .join('\n');
}

/** Wraps a text at spaces to `width` columns; a word longer than that stays whole. */
export function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line.length > indent.length && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  return [...lines, line].join('\n');
}
