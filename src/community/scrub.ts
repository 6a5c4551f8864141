import type { PersonalValue } from './personal-values.js';

/** A text that was replaced. */
export interface Replacement {
  kind: PersonalValue['kind'] | 'path' | 'e-mail address' | 'identifier';
  before: string;
  after: string;
}

/** Removes personal data from texts, and records what it replaced. */
export class Scrubber {
  readonly #rules: Rule[];
  readonly #replaced = new Map<string, Replacement & { count: number }>();

  constructor(values: readonly PersonalValue[]) {
    this.#rules = [...homeRules(values), ...PATH_RULES, ...valueRules(values), ...PATTERN_RULES];
  }

  /** Everything that was replaced so far, with how often. */
  get replaced(): (Replacement & { count: number })[] {
    return [...this.#replaced.values()];
  }

  /** A text without personal data. Paths become the names of their files. */
  text(text: string): string {
    return this.#rules.reduce(
      (scrubbed, { kind, pattern, replace }) =>
        scrubbed.replace(pattern, (...match) => {
          const before = match[0] as string;
          const after = replace(before);
          this.#record({ kind, before, after });
          return after;
        }),
      text,
    );
  }

  /** JSON data without personal data. Keys and words of the file format stay. */
  json<T>(value: T, key = ''): T {
    if (typeof value === 'string') return this.#field(value, key) as T;
    if (Array.isArray(value)) return value.map((each) => this.json(each, key)) as T;
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([name, inner]) => [name, this.json(inner, name)]);
    return Object.fromEntries(entries) as T;
  }

  /** JSON Lines and other lines. */
  lines(text: string): string {
    return text
      .split('\n')
      .map((line) => {
        const data = line.startsWith('{') ? parsed(line) : undefined;
        return data === undefined ? this.text(line) : JSON.stringify(this.json(data));
      })
      .join('\n');
  }

  #field(value: string, key: string): string {
    if (FORMAT_FIELDS.has(key)) return value;
    if (!FILE_FIELDS.has(key) || value.startsWith('shape:')) return this.text(value);
    const name = fileName(value);
    if (name !== value) this.#record({ kind: 'path', before: value, after: name });
    return this.text(name);
  }

  #record(replacement: Replacement): void {
    if (replacement.before === replacement.after) return;
    const known = this.#replaced.get(replacement.before);
    if (known === undefined) this.#replaced.set(replacement.before, { ...replacement, count: 1 });
    else known.count++;
  }
}

/** Fields whose values are words of the file format, which a user's name must not change. */
const FORMAT_FIELDS = new Set([
  ...['format', 'kind', 'status', 'unit', 'source', 'code', 'task', 'benchmark', 'id', 'type'],
  ...['mode', 'precision', 'device', 'weightType', 'startedAt', 'finishedAt', 'platform'],
  ...['weightTypes', 'devices', 'instructionSets'],
]);

/** Fields that hold paths of files, also relative ones. */
const FILE_FIELDS = new Set(['model', 'models', 'modelPath', 'dataset', 'validation']);

interface Rule {
  kind: Replacement['kind'];
  pattern: RegExp;
  replace: (match: string) => string;
}

/** The last part of a path. */
const fileName = (path: string): string =>
  path
    .replace(/[\\/]+$/, '')
    .split(/[\\/]/)
    .at(-1)!;

/** Paths of at least one folder, in quotes with spaces or else without; those of the home folder begin with ~ by now. */
const PATH_RULES: Rule[] = [
  /(?<=(["'`]))(?:~|[A-Za-z]:|\\\\)?[\\/][^"'`\n]*[\\/][^"'`\n]*(?=\1)/g,
  /(?<=(["'`]))~[\\/][^"'`\n]*(?=\1)/g,
  /(?<![\p{L}\p{N}_.~:/\\-])(?:file:\/\/)?(?:~|[A-Za-z]:|\\\\[^\s\\]+)?(?:[\\/]+[^\s\\/"'`:;,<>|()[\]{}]+){2,}[\\/]?/gu,
  /(?<![\p{L}\p{N}_.~:/\\-])~(?:[\\/]+[^\s\\/"'`:;,<>|()[\]{}]+)+[\\/]?/gu,
].map((pattern) => ({ kind: 'path', pattern, replace: fileName }));

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
/** As it stands in a text, and in JSON inside a text. */
const spellings = (value: string): string[] => [
  ...new Set([value, JSON.stringify(value).slice(1, -1)]),
];
const longestFirst = (values: readonly PersonalValue[]): PersonalValue[] =>
  [...values].sort((a, b) => b.value.length - a.value.length);

/** The home folder becomes ~, so that it is known as the beginning of a path even if it contains spaces. */
const homeRules = (values: readonly PersonalValue[]): Rule[] =>
  longestFirst(values.filter(({ kind }) => kind === 'home folder')).flatMap(({ value }) =>
    spellings(value).map((text) => ({
      kind: 'home folder' as const,
      pattern: new RegExp(`${escaped(text)}(?![\\p{L}\\p{N}_-])`, 'giu'),
      replace: () => '~',
    })),
  );

const REPLACEMENTS = {
  'user name': 'user',
  'host name': 'host',
  'MAC address': 'mac-address',
  'IP address': 'ip-address',
  'serial number': 'serial-number',
  secret: 'secret',
} as const;

/** Whole words only: 'al' is not in 'training'. */
const valueRules = (values: readonly PersonalValue[]): Rule[] =>
  longestFirst(values).flatMap(({ kind, value }): Rule[] => {
    if (kind === 'home folder') return [];
    const words = spellings(value).map(escaped).join('|');
    const pattern = new RegExp(`(?<![\\p{L}\\p{N}_])(?:${words})(?![\\p{L}\\p{N}_])`, 'giu');
    return [{ kind, pattern, replace: () => REPLACEMENTS[kind] }];
  });

/** What has a known form, of whatever machine: addresses of private networks, hardware addresses, identifiers. */
const PATTERN_RULES: Rule[] = [
  {
    kind: 'e-mail address',
    pattern: /[\p{L}\p{N}._%+-]+@(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}/gu,
    replace: () => 'e-mail-address',
  },
  {
    kind: 'MAC address',
    pattern: /\b[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}\b/gi,
    replace: () => REPLACEMENTS['MAC address'],
  },
  {
    kind: 'identifier',
    pattern: /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi,
    replace: () => 'identifier',
  },
  {
    kind: 'IP address',
    pattern:
      /(?<![\d.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})(?![\d.])/g,
    replace: () => REPLACEMENTS['IP address'],
  },
];

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
