import { define, integer } from './callables.js';
import { format } from './format.js';
import { textMethod } from './text-methods.js';
import {
  type Callable,
  defined,
  equals,
  isText,
  iterate,
  JinjaError,
  keyOf,
  Namespace,
  repr,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
  View,
} from './values.js';

/** `value.name`: an attribute, or else the item of that key. A dict's methods hide its keys, as in Python. */
export function getAttribute(value: Value, name: string): Value {
  const own = ownAttribute(defined(value), name);
  const found = own === undefined ? itemOf(value, name) : own;
  return found === undefined ? missing(value, name) : found;
}

/** `value[key]`: an item, or else the attribute of that name. */
export function getItem(value: Value, key: Value): Value {
  const name = isText(key) ? textOf(key) : undefined;
  const item = itemOf(defined(value), key);
  const found = item === undefined && name !== undefined ? ownAttribute(value, name) : item;
  return found === undefined ? missing(value, key) : found;
}

function missing(value: Value, key: Value): Undefined {
  const what = isText(key) ? 'attribute' : 'element';
  return new Undefined(`'${typeName(value)} object' has no ${what} ${repr(key)}`);
}

function itemOf(value: Value, key: Value): Value | undefined {
  if (value instanceof Map) {
    return value.get(keyOf(key));
  }
  if (typeof key !== 'bigint' && typeof key !== 'boolean') return undefined;
  if (isText(value)) return [...textOf(value)].at(Number(key));
  return Array.isArray(value) ? value.at(Number(key)) : undefined;
}

/** `value|attr(name)`, which does not look for items. */
export function attribute(value: Value, name: string): Value {
  const found = ownAttribute(value, name);
  return found === undefined ? missing(value, name) : found;
}

function ownAttribute(value: Value, name: string): Value | undefined {
  if (name.startsWith('_')) return undefined;
  if (value instanceof Namespace) return value.attributes.get(name);
  if (isText(value)) {
    if (name !== 'format') return textMethod(value, name);
    return (args, keywords) => format(textOf(value), args, keywords);
  }
  if (value instanceof Map) return dictMethod(value, name);
  return Array.isArray(value) ? listMethod(value, name) : undefined;
}

/** Methods that change a list or dict, which Hugging Face's sandbox refuses. */
const CHANGING = new Set(
  'append clear pop popitem setdefault update reverse insert sort extend remove'.split(' '),
);

function changing(value: Value, name: string): Callable | undefined {
  if (!CHANGING.has(name)) return undefined;
  return () => {
    throw new JinjaError(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
  };
}

function dictMethod(dict: Map<Value, Value>, name: string): Callable | undefined {
  const view = (items: () => Iterable<Value>) =>
    define(name, [], () => new View(`dict_${name}`, [...items()]));
  switch (name) {
    case 'keys':
      return view(() => dict.keys());
    case 'values':
      return view(() => dict.values());
    case 'items':
      return view(() => Array.from(dict, (entry) => Tuple.ofItems(entry)));
    case 'get':
      return define(
        name,
        ['key', 'default'],
        (key, fallback = null) => {
          const value = dict.get(keyOf(key!));
          return value === undefined ? fallback : value;
        },
        1,
      );
    case 'copy':
      return define(name, [], () => new Map(dict));
    default:
      return ['append', 'reverse', 'insert', 'sort', 'extend', 'remove'].includes(name)
        ? undefined
        : changing(dict, name);
  }
}

function listMethod(list: Value[], name: string): Callable | undefined {
  switch (name) {
    case 'count':
      return define(
        name,
        ['value'],
        (value) => BigInt(list.filter((each) => equals(each, value!)).length),
        1,
      );
    case 'index':
      return define(
        name,
        ['value'],
        (value) => {
          const at = list.findIndex((each) => equals(each, value!));
          if (at < 0) throw new JinjaError(`${repr(value!)} is not in list`);
          return BigInt(at);
        },
        1,
      );
    case 'copy':
      return list instanceof Tuple ? undefined : define(name, [], () => [...list]);
    default:
      return list instanceof Tuple || ['popitem', 'setdefault', 'update'].includes(name)
        ? undefined
        : changing(list, name);
  }
}

/** `value[start:stop:step]` */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  if (!isText(defined(value)) && !Array.isArray(value)) {
    throw new JinjaError(`'${typeName(value)}' object cannot be sliced`);
  }
  const items = iterate(value);
  const by = step === null ? 1 : integer(step);
  if (by === 0) throw new JinjaError('slice step cannot be zero');
  const [low, high] = by > 0 ? [0, items.length] : [-1, items.length - 1];
  const bound = (given: Value, absent: number) => {
    if (given === null) return absent;
    const at = integer(given);
    return Math.min(Math.max(at < 0 ? at + items.length : at, low), high);
  };
  const end = bound(stop, by > 0 ? high : low);
  const taken: Value[] = [];
  for (let at = bound(start, by > 0 ? low : high); by > 0 ? at < end : at > end; at += by) {
    taken.push(items[at]!);
  }
  if (isText(value)) return taken.join('');
  return value instanceof Tuple ? Tuple.ofItems(taken) : taken;
}
