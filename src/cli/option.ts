import type { OptionDescription } from '../index.js';

/** How the text of an option is parsed. */
export type OptionKind =
  | 'text'
  | 'number'
  | 'boolean'
  /** Comma-separated, or the option repeated. */
  | 'list'
  /** Used unchanged; the option may be repeated. */
  | 'texts'
  /** Adapter files, comma-separated or repeated: `path` or `path@scale`. */
  | 'adapters'
  /** Dataset files, repeated: `path` or `path@weight`. */
  | 'datasets'
  /** Samples files, comma-separated or repeated: `path` or `name=path`. */
  | 'samples'
  /** Systems of an evaluation, repeated: `[name=]model.gguf[+adapter.gguf[@scale]]` or `[name=]outputs.jsonl`. */
  | 'systems'
  /** Numbers, comma-separated. */
  | 'numbers'
  /** `pattern=device` (may be repeated), or 'experts-on-cpu'. */
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
  /** The default in words, for the help text; undefined if the option has no default. */
  defaultText?: string | undefined;
  required?: boolean | undefined;
  /** One letter: -h. */
  short?: string | undefined;
  /** Whether `--no-name` sets the option to false, although it takes a value. */
  canBeOff?: boolean | undefined;
}

/** Options of every command. They control the command line itself and are not part of the configuration. */
export const commonOptions: readonly CliOption[] = [
  {
    name: 'config',
    kind: 'text',
    typeText: 'path',
    description:
      'Read the configuration from this JSON file. Options on the command line override it.',
  },
  {
    name: 'json',
    kind: 'boolean',
    typeText: 'flag',
    description: 'Write JSON Lines to standard output, one event per line.',
  },
  { name: 'help', kind: 'boolean', typeText: 'flag', short: 'h', description: 'Show this help.' },
];

/** Options whose syntax on the command line differs from what their kind implies. */
const kinds: Record<string, { kind: OptionKind; typeText?: string; note?: string }> = {
  adapters: {
    kind: 'adapters',
    typeText: 'path[@scale],…',
    note: ' Append @ and a number for a scale: adapter.gguf@0.5.',
  },
  dataset: {
    kind: 'datasets',
    typeText: 'path[@weight]',
    note: ' May be repeated; append @ and a number for a weight: chat.jsonl@2.',
  },
  'validation.dataset': { kind: 'datasets', typeText: 'path', note: ' May be repeated.' },
  samples: {
    kind: 'samples',
    typeText: '[name=]path,…',
    note: ' Put the name of the system before the path: base=run1.jsonl.',
  },
  systems: {
    kind: 'systems',
    typeText: '[name=]model.gguf[+adapter.gguf…] or [name=]outputs.jsonl',
    note: ' Repeated for each. Other options of a system: --config.',
  },
  tasks: { kind: 'list', note: ' Tasks with options: --config.' },
  tensorSplit: { kind: 'numbers', typeText: 'number,…' },
  placement: {
    kind: 'placement',
    typeText: 'experts-on-cpu | pattern=device',
    note: " Example: --placement 'ffn_.*_exps=cpu', repeated for each pattern.",
  },
  verifier: { kind: 'json', typeText: 'type or JSON' },
  passAt: { kind: 'numbers', typeText: 'number,…' },
  'checkpoint.resume': { kind: 'text', typeText: 'latest | auto | path' },
  stop: { kind: 'texts', typeText: 'text', note: ' May be repeated.' },
};

/** The options of a configuration as command-line options. */
export function cliOptions(descriptions: readonly OptionDescription[]): CliOption[] {
  return descriptions.flatMap((option) => {
    if (option.kind === 'none') return [];
    // an option of another call may have the same name
    const special = option.kind === 'number' ? undefined : kinds[option.path];
    const kind = special?.kind ?? (option.kind === 'string' ? 'text' : option.kind);
    const canBeOff = kind !== 'boolean' && option.choices.includes('false');
    const off = canBeOff ? ` Turn off with --no-${option.path}.` : '';
    return [
      {
        name: option.path,
        kind,
        description: `${option.description}${special?.note ?? ''}${off}`,
        typeText: special?.typeText ?? typeText(option),
        defaultText: defaultText(option),
        required: option.required,
        canBeOff,
      },
    ];
  });
}

function typeText(option: OptionDescription): string {
  switch (option.kind) {
    case 'boolean':
      return ['flag', ...option.choices.map((choice) => `=${choice}`)].join(' or ');
    case 'list':
      return 'name,…';
    case 'json':
      return 'JSON';
    default:
      // Only code can pass a loaded model or rows from memory.
      return option.type.startsWith('path') ? 'path' : option.type.replaceAll("'", '');
  }
}

function defaultText({ default: value }: OptionDescription): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.join(',');
  return typeof value === 'boolean' ? (value ? 'on (turn off with --no-…)' : 'off') : String(value);
}
