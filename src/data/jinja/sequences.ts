import { getItem } from './attributes.js';
import { add } from './operators.js';
import {
  compare,
  equals,
  isText,
  isTrue,
  iterate,
  JinjaError,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.js';

export type Run = (value: Value, ...args: (Value | undefined)[]) => Value;

/** Reads `attribute`, a name, a number or names with dots between, from each item. */
export function attributeOf(
  attribute: Value | undefined,
  fallback?: Value,
): (item: Value) => Value {
  if (attribute === undefined || attribute === null) return (item) => item;
  const path = isText(attribute)
    ? textOf(attribute)
        .split('.')
        .map((each) => (/^\d+$/.test(each) ? BigInt(each) : each))
    : [attribute];
  return (item) =>
    path.reduce<Value>((value, key) => {
      const found = getItem(value, key);
      return found instanceof Undefined && fallback !== undefined ? fallback : found;
    }, item);
}

/** Sort key of an item: texts in lower case unless their case counts. */
export function sortKey(attribute: Value | undefined, caseSensitive: Value | undefined) {
  const read = attributeOf(attribute);
  return (item: Value): Value => {
    const key = read(item);
    return isText(key) && !isTrue(caseSensitive ?? false) ? textOf(key).toLowerCase() : key;
  };
}

export function sorted(
  items: Value[],
  key: (item: Value) => Value,
  reverse: Value | undefined,
): Value[] {
  const keyed = Array.from(items, (item) => ({ item, key: key(item) }));
  const sign = isTrue(reverse ?? false) ? -1 : 1;
  return keyed.sort((a, b) => sign * compare(a.key, b.key)).map(({ item }) => item);
}

export function unique(items: Value[], key: (item: Value) => Value): Value[] {
  const seen: Value[] = [];
  return items.filter((item) => {
    const each = key(item);
    if (seen.some((other) => equals(other, each))) return false;
    seen.push(each);
    return true;
  });
}

/** The smallest item (sign 1) or the largest (sign -1); undefined if there is none. */
export function extreme(sign: number): Run {
  return (value, caseSensitive, attribute) => {
    const key = sortKey(attribute, caseSensitive);
    const items = iterate(value);
    if (items.length === 0) return new Undefined('No aggregated item, sequence was empty.');
    return items.reduce((best, item) => (sign * compare(key(item), key(best)) < 0 ? item : best));
  };
}

export const group: Run = (value, attribute, fallback, caseSensitive) => {
  const key = sortKey(attribute, caseSensitive);
  const read = attributeOf(attribute);
  const groups: { key: Value; shown: Value; items: Value[] }[] = [];
  for (const item of sorted(iterate(value), key, false)) {
    const each = key(item) instanceof Undefined ? (fallback ?? null) : key(item);
    const last = groups.at(-1);
    if (last !== undefined && equals(last.key, each)) last.items.push(item);
    else groups.push({ key: each, shown: read(item), items: [item] });
  }
  return groups.map(({ shown, items }) => Tuple.ofItems([shown, items]));
};

export const dictSort: Run = (value, caseSensitive, by = 'key', reverse = false) => {
  if (!(value instanceof Map)) throw new JinjaError(`'${typeName(value)}' object is not a dict`);
  const at = textOf(by) === 'value' ? 1n : 0n;
  const entries = Array.from(value, (entry) => Tuple.ofItems(entry));
  return sorted(entries, sortKey(at, caseSensitive), reverse);
};

export function total(items: Value[], attribute: Value | undefined, start: Value): Value {
  return items.map(attributeOf(attribute)).reduce(add, start);
}

export const firstOf = (items: Value[], which: string): Value =>
  items.length > 0 ? items[0]! : new Undefined(`No ${which} item, sequence was empty.`);
