import { integer } from './callables.js';
import { isLower, isUpper } from './text-methods.js';
import {
  compare,
  contains,
  defined,
  equals,
  isText,
  JinjaError,
  Markup,
  Namespace,
  numberOf,
  textOf,
  typeName,
  Undefined,
  type Value,
} from './values.js';

type Test = (value: Value, other: Value) => boolean;

const remainder = (value: Value, by: bigint): bigint => {
  const number = numberOf(defined(value));
  if (number === undefined) {
    throw new JinjaError(`unsupported operand type(s) for %: '${typeName(value)}' and 'int'`);
  }
  if (by === 0n) throw new JinjaError('integer modulo by zero');
  return typeof number === 'bigint' ? number % by : number % Number(by) === 0 ? 0n : 1n;
};

const isIterable: Test = (value) =>
  isText(value) || (typeof value === 'object' && value !== null && !(value instanceof Namespace));

const isSequence: Test = (value) =>
  value instanceof Undefined || isText(value) || Array.isArray(value) || value instanceof Map;

/** What `value is name(other)` asks. */
const TESTS: Readonly<Record<string, Test>> = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) => typeof value === 'function',
  defined: (value) => !(value instanceof Undefined),
  divisibleby: (value, by) => remainder(value, BigInt(integer(by))) === 0n,
  escaped: (value) => value instanceof Markup,
  even: (value) => remainder(value, 2n) === 0n,
  false: (value) => value === false,
  float: (value) => typeof value === 'number',
  integer: (value) => typeof value === 'bigint',
  iterable: isIterable,
  lower: (value) => isLower(textOf(value)),
  mapping: (value) => value instanceof Map,
  none: (value) => value === null,
  number: (value) => numberOf(value) !== undefined,
  odd: (value) => remainder(value, 2n) !== 0n,
  sameas: (value, other) => value === other,
  sequence: isSequence,
  string: isText,
  true: (value) => value === true,
  undefined: (value) => value instanceof Undefined,
  upper: (value) => isUpper(textOf(value)),
  in: (value, container) => contains(container, value),
  eq: equals,
  equalto: equals,
  ne: (value, other) => !equals(value, other),
  lt: (value, other) => compare(value, other) < 0,
  lessthan: (value, other) => compare(value, other) < 0,
  le: (value, other) => compare(value, other) <= 0,
  gt: (value, other) => compare(value, other) > 0,
  greaterthan: (value, other) => compare(value, other) > 0,
  ge: (value, other) => compare(value, other) >= 0,
};

const WITH_ARGUMENT = new Set(
  'divisibleby sameas in eq equalto ne lt lessthan le gt greaterthan ge'.split(' '),
);

/** The result of a test. */
export function runTest(name: string, value: Value, args: readonly Value[]): boolean {
  const test = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
  if (test === undefined) throw new JinjaError(`No test named '${name}'.`);
  const expected = WITH_ARGUMENT.has(name) ? 1 : 0;
  if (args.length !== expected) {
    throw new JinjaError(`the test '${name}' takes ${expected} arguments (${args.length} given)`);
  }
  return test(value, args[0] ?? null);
}
