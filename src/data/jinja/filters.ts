import { attribute } from './attributes.js';
import { define, integer } from './callables.js';
import { percentFormat } from './format.js';
import { toJson } from './json.js';
import { absolute, round, toFloat, toInteger } from './numbers.js';
import {
  attributeOf,
  dictSort,
  extreme,
  firstOf,
  group,
  type Run,
  sorted,
  sortKey,
  total,
  unique,
} from './sequences.js';
import { runTest } from './tests.js';
import { capitalize, replace, splitLines, strip } from './text-methods.js';
import {
  type Callable,
  defined,
  escapeValue,
  isText,
  isTrue,
  iterate,
  JinjaError,
  lengthOf,
  Markup,
  Stream,
  Tuple,
  textOf,
  Undefined,
  type Value,
} from './values.js';

/** Keeps what is marked as Markup, as Python's soft_str() does. */
const soft = (value: Value, change: (text: string) => string): Value => {
  const text = change(textOf(value));
  return value instanceof Markup ? new Markup(text) : text;
};

const indent: Run = (value, width = 4n, first = false, blank = false) => {
  const space = isText(width) ? textOf(width) : ' '.repeat(integer(width));
  return soft(value, (given) => {
    const lines = splitLines(`${given}\n`);
    const rest = lines
      .slice(1)
      .map((line) => (line === '' && !isTrue(blank) ? line : space + line));
    return (isTrue(first) ? space : '') + [lines[0], ...rest].join('\n');
  });
};

const json: Run = (value, ensureAscii = false, indentation = null, separators = null, sort) => {
  const given = separators === null ? undefined : iterate(separators).map(textOf);
  return toJson(value, {
    ensureAscii: isTrue(ensureAscii),
    indent:
      indentation === null
        ? undefined
        : isText(indentation)
          ? textOf(indentation)
          : ' '.repeat(Math.max(0, integer(indentation))),
    separators: [given?.[0] ?? (indentation === null ? ', ' : ','), given?.[1] ?? ': '],
    sortKeys: isTrue(sort ?? false),
  });
};

const title = (text: string): string =>
  text
    .split(/([-\s({[<]+)/)
    .map((word) => capitalize(word))
    .join('');

const truncate: Run = (value, length = 255n, killWords = false, end = '...', leeway = 5n) => {
  const characters = [...textOf(value)];
  const [limit, ending] = [integer(length), textOf(end)];
  if (characters.length <= limit + integer(leeway)) return value;
  const head = characters.slice(0, limit - [...ending].length).join('');
  return (isTrue(killWords) ? head : head.replace(/ [^ ]*$/, '')) + ending;
};

type Filter = readonly [parameters: readonly string[], run: Run];

const overItems = (run: (items: Value[]) => Value): Filter => [[], (value) => run(iterate(value))];
const overText = (change: (text: string) => string): Filter => [[], (value) => soft(value, change)];
const length: Filter = [[], (value) => BigInt(lengthOf(value))];
const fallback: Filter = [
  ['default_value', 'boolean'],
  (value, other = '', boolean = false) =>
    value instanceof Undefined || (isTrue(boolean) && !isTrue(value)) ? other : value,
];
const escaped: Filter = [[], escapeValue];

const FILTERS: Readonly<Record<string, Filter>> = {
  abs: [[], absolute],
  attr: [['name'], (value, name = '') => attribute(defined(value), textOf(name))],
  capitalize: overText(capitalize),
  count: length,
  d: fallback,
  default: fallback,
  dictsort: [['case_sensitive', 'by', 'reverse'], dictSort],
  e: escaped,
  escape: escaped,
  first: overItems((items) => firstOf(items, 'first')),
  float: [['default'], toFloat],
  forceescape: [[], (value) => escapeValue(textOf(value))],
  groupby: [['attribute', 'default', 'case_sensitive'], group],
  indent: [['width', 'first', 'blank'], indent],
  int: [['default', 'base'], toInteger],
  items: [
    [],
    (value) => {
      if (value instanceof Undefined) return new Stream([]);
      if (value instanceof Map) {
        return new Stream(Array.from(value, (entry) => Tuple.ofItems(entry)));
      }
      throw new JinjaError('Can only get item pairs from a mapping.');
    },
  ],
  join: [
    ['d', 'attribute'],
    (value, separator = '', attribute) =>
      Array.from(iterate(value), (item) => textOf(attributeOf(attribute)(item))).join(
        textOf(separator),
      ),
  ],
  last: [
    [],
    (value) => {
      if (value instanceof Stream) throw new JinjaError("'generator' object is not reversible");
      return firstOf(iterate(value).slice(-1), 'last');
    },
  ],
  length,
  list: overItems((items) => Array.from(items)),
  lower: overText((text) => text.toLowerCase()),
  max: [['case_sensitive', 'attribute'], extreme(-1)],
  min: [['case_sensitive', 'attribute'], extreme(1)],
  replace: [
    ['old', 'new', 'count'],
    (value, from, to, count) =>
      replace(
        textOf(value),
        textOf(from!),
        textOf(to!),
        count === undefined || count === null ? -1 : integer(count),
      ),
  ],
  reverse: [
    [],
    (value) => {
      const items = Array.from(iterate(value)).reverse();
      return isText(value) ? items.map(textOf).join('') : new Stream(items);
    },
  ],
  round: [['precision', 'method'], round],
  safe: [[], (value) => new Markup(textOf(value))],
  sort: [
    ['reverse', 'case_sensitive', 'attribute'],
    (value, reverse, caseSensitive, attribute) =>
      sorted(iterate(value), sortKey(attribute, caseSensitive), reverse),
  ],
  string: overText((text) => text),
  sum: [
    ['attribute', 'start'],
    (value, attribute, start = 0n) => total(iterate(value), attribute, start),
  ],
  title: overText(title),
  tojson: [['ensure_ascii', 'indent', 'separators', 'sort_keys'], json],
  trim: [['chars'], (value, characters) => soft(value, (text) => strip(text, characters))],
  truncate: [['length', 'killwords', 'end', 'leeway'], truncate],
  unique: [
    ['case_sensitive', 'attribute'],
    (value, caseSensitive, attribute) =>
      new Stream(unique(iterate(value), sortKey(attribute, caseSensitive))),
  ],
  upper: overText((text) => text.toUpperCase()),
  wordcount: [[], (value) => BigInt(textOf(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)],
};

/** Items for the filters below, which take None, 0 and other false values as empty. */
const itemsOf = (value: Value): Value[] => (isTrue(value) ? iterate(value) : []);

/** Filters that choose or change items with another filter or a test, whose name is their first argument. */
const OVER_ITEMS: Readonly<Record<string, Callable>> = {
  map: ([value, ...args], keywords) => {
    const attribute = keywords.get('attribute');
    if (args.length === 0 && attribute !== undefined) {
      const read = attributeOf(attribute, keywords.get('default'));
      return new Stream(Array.from(itemsOf(value!), read));
    }
    const [name, ...rest] = args;
    if (name === undefined) throw new JinjaError('map requires a filter argument');
    return new Stream(
      Array.from(itemsOf(value!), (item) => applyFilter(textOf(name), item, rest, keywords)),
    );
  },
  select: ([value, ...args]) => chosen(value!, (item) => item, args, true),
  reject: ([value, ...args]) => chosen(value!, (item) => item, args, false),
  selectattr: ([value, attribute, ...args]) => chosen(value!, attributeOf(attribute), args, true),
  rejectattr: ([value, attribute, ...args]) => chosen(value!, attributeOf(attribute), args, false),
};

function chosen(
  value: Value,
  read: (item: Value) => Value,
  [name, ...args]: Value[],
  keep: boolean,
): Stream {
  const fits = (item: Value) =>
    name === undefined ? isTrue(item) : runTest(textOf(name), item, args);
  return new Stream(itemsOf(value).filter((item) => fits(read(item)) === keep));
}

/** `value|name(args)` */
export function applyFilter(
  name: string,
  value: Value,
  args: Value[],
  keywords: Map<string, Value>,
): Value {
  if (Object.hasOwn(OVER_ITEMS, name)) return OVER_ITEMS[name]!([value, ...args], keywords);
  if (name === 'format') {
    return percentFormat(textOf(value), args, keywords.size > 0 ? new Map(keywords) : null);
  }
  const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
  if (filter === undefined) throw new JinjaError(`No filter named '${name}'.`);
  const [parameters, run] = filter;
  return define(name, ['value', ...parameters], (first, ...rest) => run(first!, ...rest))(
    [value, ...args],
    keywords,
  );
}
