import { define, integer } from './callables.js';
import { checkSize } from './limits.js';
import {
  type Callable,
  isText,
  iterate,
  JinjaError,
  Markup,
  Tuple,
  textOf,
  typeName,
  type Value,
} from './values.js';

/** What Python calls white space; JavaScript's \s has the byte-order mark and lacks the separators. */
const SPACE =
  '\\t\\n\\v\\f\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACES = new RegExp(`[${SPACE}]+`, 'u');
const LINE_END = '\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]';
const LINE_ENDS = new RegExp(LINE_END);

/** Python's str.strip() and its one-sided forms. */
export function strip(text: string, characters?: Value, side: 'both' | 'left' | 'right' = 'both') {
  const wanted =
    characters === undefined || characters === null ? undefined : new Set(argumentText(characters));
  const isStripped = (character: string) =>
    wanted === undefined ? SPACES.test(character) : wanted.has(character);
  const all = [...text];
  let [start, end] = [0, all.length];
  if (side !== 'right') while (start < end && isStripped(all[start]!)) start += 1;
  if (side !== 'left') while (end > start && isStripped(all[end - 1]!)) end -= 1;
  return all.slice(start, end).join('');
}

export const capitalize = (text: string): string => {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
};

export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let rest = text;
  for (let match = LINE_ENDS.exec(rest); match !== null; match = LINE_ENDS.exec(rest)) {
    const end = match.index + match[0].length;
    lines.push(rest.slice(0, keepEnds ? end : match.index));
    rest = rest.slice(end);
  }
  return rest === '' ? lines : [...lines, rest];
}

export function replace(text: string, from: string, to: string, count = -1): string {
  if (count < 0)
    return from === ''
      ? [...text, ''].map((c) => to + c).join('')
      : text.replaceAll(from, () => to);
  const parts = from === '' ? ['', ...text] : text.split(from);
  const head = parts.slice(0, count + 1).join(to);
  return [head, ...parts.slice(count + 1)].join(from);
}

/** Splits at runs of white space, or at each separator. */
function split(text: string, separator: Value | undefined, limit: number, fromEnd: boolean) {
  if (separator === undefined || separator === null) return splitSpaces(text, limit, fromEnd);
  const by = argumentText(separator);
  if (by === '') throw new JinjaError('empty separator');
  const parts = text.split(by);
  if (limit < 0 || parts.length <= limit + 1) return parts;
  return fromEnd
    ? [parts.slice(0, parts.length - limit).join(by), ...parts.slice(parts.length - limit)]
    : [...parts.slice(0, limit), parts.slice(limit).join(by)];
}

function splitSpaces(text: string, limit: number, fromEnd: boolean): string[] {
  const words: string[] = [];
  const side = fromEnd ? 'right' : 'left';
  let rest = strip(text, undefined, side);
  while (rest !== '') {
    const at = fromEnd ? lastSpace(rest) : SPACES.exec(rest);
    if (at === null || words.length === limit) {
      words.push(rest);
      break;
    }
    const [head, tail] = [rest.slice(0, at.index), rest.slice(at.index + at[0].length)];
    words.push(fromEnd ? tail : head);
    rest = strip(fromEnd ? head : tail, undefined, side);
  }
  return fromEnd ? words.reverse() : words;
}

const lastSpace = (text: string) => [...text.matchAll(new RegExp(SPACES, 'gu'))].at(-1) ?? null;

export function argumentText(value: Value): string {
  if (isText(value)) return textOf(value);
  throw new JinjaError(`expected a str but received ${typeName(value)}`);
}

/** Whether a text starts or ends with another one, or with one of a tuple. */
function affix(test: (affix: string) => boolean, affixes: Value): boolean {
  return affixes instanceof Tuple
    ? affixes.some((each) => test(argumentText(each)))
    : test(argumentText(affixes));
}

function partition(text: string, separator: string, at: number, missing: string[]): Tuple {
  if (separator === '') throw new JinjaError('empty separator');
  if (at < 0) return Tuple.ofItems(missing);
  return Tuple.ofItems([text.slice(0, at), separator, text.slice(at + separator.length)]);
}

function pad(
  text: string,
  width: Value,
  fill: Value | undefined,
  side: 'left' | 'right' | 'both',
): string {
  const missing = padding(integer(width), text);
  const character = fill === undefined ? ' ' : argumentText(fill);
  // an odd character goes to the left if the width is odd too
  const half = Math.floor(missing / 2) + (missing & integer(width) & 1);
  const before = side === 'both' ? half : side === 'left' ? missing : 0;
  return character.repeat(before) + text + character.repeat(missing - before);
}

/** How many characters a text lacks to be `width` long. */
export function padding(width: number, text: string): number {
  checkSize(width);
  return Math.max(0, width - [...text].length);
}

/** The part of a text between two positions in code points, as find(), count() and others take it. */
function part(text: string, start: Value | undefined, end: Value | undefined): [string, number] {
  const all = [...text];
  const at = (value: Value | undefined, missing: number) => {
    if (value === undefined || value === null) return missing;
    const number = integer(value);
    return number < 0 ? Math.max(0, all.length + number) : Math.min(number, all.length);
  };
  const from = at(start, 0);
  return [all.slice(from, Math.max(from, at(end, all.length))).join(''), from];
}

function find(text: string, args: (Value | undefined)[], last: boolean): bigint {
  const [sought, start, end] = args;
  const [inner, offset] = part(text, start, end);
  const needle = argumentText(sought!);
  const at = last ? inner.lastIndexOf(needle) : inner.indexOf(needle);
  return at < 0 ? -1n : BigInt(offset + [...inner.slice(0, at)].length);
}

function index(text: string, args: (Value | undefined)[], last: boolean): bigint {
  const at = find(text, args, last);
  if (at < 0n) throw new JinjaError('substring not found');
  return at;
}

function count(text: string, [sought, start, end]: (Value | undefined)[]): bigint {
  const [inner] = part(text, start, end);
  const needle = argumentText(sought!);
  return BigInt(needle === '' ? [...inner].length + 1 : inner.split(needle).length - 1);
}

const isCased = (text: string): boolean => text.toLowerCase() !== text.toUpperCase();
export const isLower = (text: string): boolean => isCased(text) && text === text.toLowerCase();
export const isUpper = (text: string): boolean => isCased(text) && text === text.toUpperCase();

/** Python's str.title(): every letter after a character that is not a letter is upper case. */
const title = (text: string): string => text.replace(/\p{L}+/gu, (word) => capitalize(word));

const swapCase = (text: string): string =>
  Array.from(text, (c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join('');

type Method = readonly [
  parameters: readonly string[],
  required: number,
  run: (text: string, ...args: (Value | undefined)[]) => Value,
];

const only = (run: (text: string) => Value): Method => [[], 0, run];
const range = ['sub', 'start', 'end'];
const matches = (pattern: RegExp): Method => only((text) => pattern.test(text));

/** The methods of str. */
const METHODS: Readonly<Record<string, Method>> = {
  capitalize: only(capitalize),
  casefold: only((text) => text.toLowerCase()),
  center: [['width', 'fillchar'], 1, (text, width, fill) => pad(text, width!, fill, 'both')],
  count: [range, 1, (text, ...args) => count(text, args)],
  endswith: [
    ['suffix', 'start', 'end'],
    1,
    (text, suffix, start, end) =>
      affix((each) => part(text, start, end)[0].endsWith(each), suffix!),
  ],
  find: [range, 1, (text, ...args) => find(text, args, false)],
  index: [range, 1, (text, ...args) => index(text, args, false)],
  isalnum: matches(/^[\p{L}\p{N}]+$/u),
  isalpha: matches(/^\p{L}+$/u),
  isascii: matches(/^[\0-\x7f]*$/),
  isdecimal: matches(/^\p{Nd}+$/u),
  isdigit: matches(/^[\p{Nd}²³¹⁰-⁹₀-₉]+$/u),
  islower: only(isLower),
  isnumeric: matches(/^\p{N}+$/u),
  isspace: only((text) => text !== '' && strip(text) === ''),
  istitle: only((text) => isCased(text) && text === title(text)),
  isupper: only(isUpper),
  join: [['iterable'], 1, (text, items) => Array.from(iterate(items!), argumentText).join(text)],
  ljust: [['width', 'fillchar'], 1, (text, width, fill) => pad(text, width!, fill, 'right')],
  lower: only((text) => text.toLowerCase()),
  lstrip: [['chars'], 0, (text, characters) => strip(text, characters, 'left')],
  partition: [
    ['sep'],
    1,
    (text, sep) => {
      const by = argumentText(sep!);
      return partition(text, by, text.indexOf(by), [text, '', '']);
    },
  ],
  removeprefix: [
    ['prefix'],
    1,
    (text, prefix) => {
      const given = argumentText(prefix!);
      return text.startsWith(given) ? text.slice(given.length) : text;
    },
  ],
  removesuffix: [
    ['suffix'],
    1,
    (text, suffix) => {
      const given = argumentText(suffix!);
      return given !== '' && text.endsWith(given) ? text.slice(0, -given.length) : text;
    },
  ],
  replace: [
    ['old', 'new', 'count'],
    2,
    (text, from, to, limit = -1n) =>
      replace(text, argumentText(from!), argumentText(to!), integer(limit)),
  ],
  rfind: [range, 1, (text, ...args) => find(text, args, true)],
  rindex: [range, 1, (text, ...args) => index(text, args, true)],
  rjust: [['width', 'fillchar'], 1, (text, width, fill) => pad(text, width!, fill, 'left')],
  rpartition: [
    ['sep'],
    1,
    (text, sep) => {
      const by = argumentText(sep!);
      return partition(text, by, text.lastIndexOf(by), ['', '', text]);
    },
  ],
  rsplit: [
    ['sep', 'maxsplit'],
    0,
    (text, sep, limit = -1n) => split(text, sep, integer(limit), true),
  ],
  rstrip: [['chars'], 0, (text, characters) => strip(text, characters, 'right')],
  split: [
    ['sep', 'maxsplit'],
    0,
    (text, sep, limit = -1n) => split(text, sep, integer(limit), false),
  ],
  splitlines: [['keepends'], 0, (text, keepEnds) => splitLines(text, keepEnds === true)],
  startswith: [
    ['prefix', 'start', 'end'],
    1,
    (text, prefix, start, end) =>
      affix((each) => part(text, start, end)[0].startsWith(each), prefix!),
  ],
  strip: [['chars'], 0, (text, characters) => strip(text, characters)],
  swapcase: only(swapCase),
  title: only(title),
  upper: only((text) => text.toUpperCase()),
  zfill: [
    ['width'],
    1,
    (text, width) => {
      const sign = /^[+-]/.test(text) ? text[0]! : '';
      return (
        sign + pad(text.slice(sign.length), BigInt(integer(width!) - sign.length), '0', 'left')
      );
    },
  ],
};

/** The method of a text; undefined if str has none of that name. */
export function textMethod(value: string | Markup, name: string): Callable | undefined {
  const text = textOf(value);
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (method === undefined) return undefined;
  const [parameters, required, run] = method;
  const call = define(name, parameters, (...args) => run(text, ...args), required);
  if (typeof value === 'string') return call;
  return (args, keywords) => asMarkup(call(args, keywords));
}

/** Methods of a Markup return Markup. */
function asMarkup(value: Value): Value {
  if (typeof value === 'string') return new Markup(value);
  if (value instanceof Tuple) return Tuple.ofItems(value.map(asMarkup));
  return Array.isArray(value) ? value.map(asMarkup) : value;
}
