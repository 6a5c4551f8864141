import { ExactNumber } from '../../config/exact-json.js';
import {
  isText,
  JinjaError,
  Markup,
  reprOfFloat,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export interface JsonOptions {
  ensureAscii: boolean;
  /** What one level is indented by; undefined writes one line. */
  indent: string | undefined;
  separators: readonly [item: string, key: string];
  sortKeys: boolean;
}

/** Python's json.dumps(), which Hugging Face's `tojson` filter calls. */
export function toJson(value: Value, options: JsonOptions, depth = 0): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return jsonFloat(value);
  if (isText(value)) return jsonText(textOf(value), options);
  if (Array.isArray(value)) {
    const items = Array.from(value, (item) => toJson(item, options, depth + 1));
    return enclose('[', items, ']', options, depth);
  }
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => [jsonKey(key), item] as const);
    if (options.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const items = entries.map(
      ([key, item]) =>
        jsonText(key, options) + options.separators[1] + toJson(item, options, depth + 1),
    );
    return enclose('{', items, '}', options, depth);
  }
  throw new JinjaError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function enclose(
  open: string,
  items: string[],
  close: string,
  { indent, separators }: JsonOptions,
  depth: number,
): string {
  if (items.length === 0 || indent === undefined) return open + items.join(separators[0]) + close;
  const line = `\n${indent.repeat(depth)}`;
  return `${open}${line}${indent}${items.join(`${separators[0]}${line}${indent}`)}${line}${close}`;
}

function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return reprOfFloat(value);
  return Number.isNaN(value) ? 'NaN' : value < 0 ? '-Infinity' : 'Infinity';
}

function jsonText(text: string, { ensureAscii }: JsonOptions): string {
  const json = JSON.stringify(text);
  if (!ensureAscii) return json;
  return json.replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function jsonKey(key: Value): string {
  if (isText(key)) return textOf(key);
  if (key === null) return 'null';
  if (typeof key === 'boolean') return String(key);
  if (typeof key === 'bigint') return key.toString();
  if (typeof key === 'number') return jsonFloat(key);
  throw new JinjaError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

/** A JavaScript value as a template sees it. A number without a fraction is an int, unless its file wrote it as a float. */
export function toValue(input: unknown): Value {
  switch (typeof input) {
    case 'number':
      // 1e21 and above are floats in JSON text too
      return Number.isInteger(input) && Math.abs(input) < 1e21 ? BigInt(input) : input;
    case 'string':
    case 'boolean':
    case 'bigint':
      return input;
    case 'undefined':
      return new Undefined('a value is undefined');
    case 'object':
      return ofObject(input);
    default:
      throw new JinjaError(`cannot use a ${typeof input} in a template`);
  }
}

function ofObject(input: object | null): Value {
  if (input === null || input instanceof Markup) return input;
  if (Array.isArray(input)) return input.map(toValue);
  if (ArrayBuffer.isView(input)) return Array.from(input as unknown as Iterable<unknown>, toValue);
  if (input instanceof ExactNumber) return input.isFloat ? input.value : BigInt(input.literal);
  if (input instanceof Date) return input.toISOString();
  const entries: Iterable<[unknown, unknown]> =
    input instanceof Map ? input : Object.entries(input).filter(([, value]) => value !== undefined);
  return new Map(Array.from(entries, ([key, value]) => [toValue(key), toValue(value)]));
}
