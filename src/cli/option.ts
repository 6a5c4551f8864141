import type { OptionDescription } from '../index.js';

/** How an option's text on the command line becomes a value. */
export type OptionKind =
  | 'text'
  | 'number'
  | 'boolean'
  /** Comma-separated, or the option given several times. */
  | 'list'
  /** Taken as it is; the option may be given several times. */
  | 'texts'
  /** Adapter files, comma-separated or given several times: `path` or `path@scale`. */
  | 'adapters'
  /** Numbers, comma-separated. */
  | 'numbers'
  /** `pattern=device`, may be given several times, or 'experts-on-cpu'. */
  | 'placement'
  /** JSON text. */
  | 'json';

/** One option of a command, as `--name value`. */
export interface CliOption {
  /** Path in the configuration: 'model', 'lora.rank'. */
  name: string;
  kind: OptionKind;
  description: string;
  /** The type in words, for the help text. */
  typeText: string;
  /** The default in words, for the help text; undefined where there is none. */
  defaultText?: string | undefined;
  required?: boolean | undefined;
  /** One letter: -h. */
  short?: string | undefined;
}

/** Options that every command has. They steer the command line itself and are no part of the configuration. */
export const commonOptions: readonly CliOption[] = [
  {
    name: 'config',
    kind: 'text',
    typeText: 'path',
    description: 'JSON file with the whole configuration; options on the line win over it.',
  },
  {
    name: 'json',
    kind: 'boolean',
    typeText: 'flag',
    description: 'Write JSON Lines to standard output: one event per line.',
  },
  { name: 'help', kind: 'boolean', typeText: 'flag', short: 'h', description: 'Show this help.' },
];

/** Where a command line can say more than the option's kind tells. */
const kinds: Record<string, { kind: OptionKind; typeText?: string; note?: string }> = {
  adapters: {
    kind: 'adapters',
    typeText: 'path[@scale],…',
    note: ' On the line: base.gguf@0.5 for a scale.',
  },
  tensorSplit: { kind: 'numbers', typeText: 'number,…' },
  placement: {
    kind: 'placement',
    typeText: 'experts-on-cpu | pattern=device',
    note: " On the line: --placement 'ffn_.*_exps=cpu', once for each pattern.",
  },
  stop: { kind: 'texts', typeText: 'text', note: ' May be given several times.' },
};

/** The configuration's options as a command line takes them. */
export function cliOptions(descriptions: readonly OptionDescription[]): CliOption[] {
  return descriptions.flatMap((option) => {
    if (option.kind === 'none') return [];
    const special = kinds[option.path];
    const kind = special?.kind ?? (option.kind === 'string' ? 'text' : option.kind);
    return [
      {
        name: option.path,
        kind,
        description: `${option.description}${special?.note ?? ''}`,
        typeText: special?.typeText ?? typeText(option),
        defaultText: defaultText(option),
        required: option.required,
      },
    ];
  });
}

function typeText(option: OptionDescription): string {
  switch (option.kind) {
    case 'boolean':
      return 'flag';
    case 'list':
      return 'name,…';
    case 'json':
      return 'JSON';
    default:
      // A loaded model or rows from memory exist only in a program.
      return option.type.startsWith('path') ? 'path' : option.type.replaceAll("'", '');
  }
}

function defaultText({ default: value }: OptionDescription): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(',');
  return typeof value === 'boolean' ? (value ? 'on (--no-… turns it off)' : 'off') : String(value);
}
