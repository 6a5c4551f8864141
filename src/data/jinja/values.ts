import { escapeHtml } from '../../escape-html.js';

/**
 * The values of a template, with the behaviour that they have in Python: an int is a bigint, a float is a number, a dict is a
 * Map, a list is an array.
 */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | Undefined
  | Markup
  | Value[]
  | Map<Value, Value>
  | Namespace
  | Stream
  | View
  | Callable;

export type Callable = (args: Value[], keywords: Map<string, Value>) => Value;

/** What a missing variable, attribute or item is. Most uses of it are errors, but it prints as an empty text. */
export class Undefined {
  /** @param reason why it is undefined, for errors. */
  constructor(readonly reason: string) {}
}

/** A text that the filters `safe` and `escape` return: adding a text to it escapes that text for HTML. */
export class Markup {
  constructor(readonly text: string) {}
}

/** A list that cannot be changed and prints with parentheses. */
export class Tuple extends Array<Value> {
  static ofItems(items: Iterable<Value>): Tuple {
    const tuple = new Tuple();
    for (const item of items) tuple.push(item);
    return tuple;
  }
}

/** What namespace() returns: the only value whose attributes a template can set. */
export class Namespace {
  constructor(readonly attributes: Map<string, Value>) {}
}

/** A generator or iterator: it is always true, has no length, and can be read once. */
export class Stream {
  #items: Value[];
  constructor(items: Value[]) {
    this.#items = items;
  }
  take(): Value[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }
}

/** What dict.keys(), values() and items() return. */
export class View {
  constructor(
    readonly name: string,
    readonly items: Value[],
  ) {}
}

/** An error of the template engine, as Python's jinja2 would raise it. */
export class JinjaError extends Error {}

/** What the template itself refuses with raise_exception(). */
export class RaisedByTemplate extends JinjaError {}

export const isText = (value: Value): value is string | Markup =>
  typeof value === 'string' || value instanceof Markup;

/** What the filter `escape` returns. */
export const escapeValue = (value: Value): Markup =>
  value instanceof Markup ? value : new Markup(escapeHtml(textOf(value)));

/** Python's name of a value's type, for errors. */
export function typeName(value: Value): string {
  if (isText(value)) return 'str';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'boolean') return 'bool';
  if (value === null) return 'NoneType';
  if (value instanceof Tuple) return 'tuple';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'dict';
  if (value instanceof View) return value.name;
  if (value instanceof Stream) return 'generator';
  if (value instanceof Namespace) return 'Namespace';
  return value instanceof Undefined ? 'Undefined' : 'function';
}

/** @throws JinjaError if the value is undefined. */
export function defined(value: Value): Exclude<Value, Undefined> {
  if (value instanceof Undefined) throw new JinjaError(value.reason);
  return value;
}

export function isTrue(value: Value): boolean {
  if (value instanceof Undefined) return false;
  if (value instanceof Markup) return value.text !== '';
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (value instanceof View) return value.items.length > 0;
  return Boolean(value);
}

/** Items in Python's order: characters are code points, those of a dict are its keys. */
export function iterate(value: Value): Value[] {
  if (value instanceof Undefined) return [];
  if (isText(value)) return [...textOf(value)];
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value.keys()];
  if (value instanceof View) return value.items;
  if (value instanceof Stream) return value.take();
  throw new JinjaError(`'${typeName(value)}' object is not iterable`);
}

export function lengthOf(value: Value): number {
  if (value instanceof Stream || value instanceof Namespace || typeof value === 'function') {
    throw new JinjaError(`object of type '${typeName(value)}' has no len()`);
  }
  if (typeof value === 'object' && value !== null) return iterate(value).length;
  if (typeof value === 'string') return [...value].length;
  throw new JinjaError(`object of type '${typeName(value)}' has no len()`);
}

type Numeric = bigint | number;

/** The number that a value counts as; undefined if it is not a number. */
export function numberOf(value: Value): Numeric | undefined {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return typeof value === 'bigint' || typeof value === 'number' ? value : undefined;
}

/** Python's ==. */
export function equals(a: Value, b: Value): boolean {
  if (a instanceof Undefined || b instanceof Undefined) {
    return a instanceof Undefined && b instanceof Undefined;
  }
  if (isText(a) && isText(b)) return textOf(a) === textOf(b);
  const [x, y] = [numberOf(a), numberOf(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: an int equals a float of the same value
  if (x !== undefined && y !== undefined) return x == y;
  if (Array.isArray(a) && Array.isArray(b)) {
    return (
      a instanceof Tuple === b instanceof Tuple &&
      a.length === b.length &&
      a.every((item, i) => equals(item, b[i]!))
    );
  }
  if (a instanceof Map && b instanceof Map) {
    return (
      a.size === b.size &&
      [...a].every(([key, value]) => b.has(key) && equals(value, b.get(key) as Value))
    );
  }
  return a === b;
}

/** Negative, 0 or positive, as `a` is below, equal to or above `b`. */
export function compare(a: Value, b: Value): number {
  defined(a);
  defined(b);
  if (isText(a) && isText(b)) return compareTexts(textOf(a), textOf(b));
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : x >= y ? 0 : Number.NaN;
  if (Array.isArray(a) && Array.isArray(b) && a instanceof Tuple === b instanceof Tuple) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      if (!equals(a[i]!, b[i]!)) return compare(a[i]!, b[i]!);
    }
    return a.length - b.length;
  }
  throw new JinjaError(
    `'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`,
  );
}

/** By code points, where UTF-16 would put an emoji before U+FFFD. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [[...a], [...b]];
  const at = x.findIndex((character, i) => character !== y[i]);
  if (at < 0) return -1;
  return at < y.length ? x[at]!.codePointAt(0)! - y[at]!.codePointAt(0)! : 1;
}

/** Python's `in`. */
export function contains(container: Value, item: Value): boolean {
  if (isText(container)) {
    if (!isText(item)) {
      defined(item);
      throw new JinjaError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    }
    return textOf(container).includes(textOf(item));
  }
  if (container instanceof Map) return container.has(keyOf(item));
  return iterate(container).some((each) => equals(each, item));
}

/** A value as the key of a dict. */
export function keyOf(value: Value): Value {
  if (value instanceof Markup) return value.text;
  if (value !== null && typeof value === 'object' && !(value instanceof Undefined)) {
    throw new JinjaError(`cannot use a value of type '${typeName(value)}' as a key`);
  }
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
}

/** Python's str(). */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  return value instanceof Undefined ? '' : repr(value);
}

/** Python's repr(). */
export function repr(value: Value): string {
  if (typeof value === 'string') return reprOfText(value);
  if (value instanceof Markup) return `Markup(${reprOfText(value.text)})`;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return reprOfFloat(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === null) return 'None';
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Tuple) {
    return value.length === 1 ? `(${repr(value[0]!)},)` : `(${listed(value)})`;
  }
  if (Array.isArray(value)) return `[${listed(value)}]`;
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`;
  }
  if (value instanceof View) return `${value.name}([${listed(value.items)}])`;
  throw new JinjaError(`cannot print a value of type '${typeName(value)}'`);
}

const listed = (items: Value[]): string => Array.from(items, repr).join(', ');

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function reprOfText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/[\\'"]|[^\P{C}]|[^\P{Z} ]/gu, (character) => {
    if (character === quote || character === '\\') return `\\${character}`;
    if (character === "'" || character === '"') return character;
    return ESCAPES[character] ?? escapedCode(character.codePointAt(0)!);
  });
  return quote + inner + quote;
}

function escapedCode(code: number): string {
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** Shortest text that gives the same float, with Python's rule for when an exponent is written. */
export function reprOfFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa, power] = Math.abs(value).toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  const digits = mantissa.replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}
