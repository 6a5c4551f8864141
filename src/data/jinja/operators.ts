import { percentFormat } from './format.js';
import { checkSize } from './limits.js';
import {
  compare,
  contains,
  defined,
  equals,
  escapeValue,
  isText,
  JinjaError,
  Markup,
  numberOf,
  Tuple,
  textOf,
  typeName,
  type Value,
} from './values.js';

/** Most digits that a power has. */
const LARGEST_POWER = 10_000;

const unsupported = (operator: string, a: Value, b: Value): JinjaError =>
  new JinjaError(
    `unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`,
  );

function concatenate(a: string, b: string): string {
  checkSize(a.length + b.length);
  return a + b;
}

export function add(a: Value, b: Value): Value {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) {
    return typeof x === 'bigint' && typeof y === 'bigint' ? x + y : Number(x) + Number(y);
  }
  if (typeof a === 'string' && typeof b === 'string') return concatenate(a, b);
  if (isText(a) && isText(b)) return new Markup(escapeValue(a).text + escapeValue(b).text);
  if (Array.isArray(a) && Array.isArray(b) && a instanceof Tuple === b instanceof Tuple) {
    checkSize(a.length + b.length);
    const items = [...a, ...b];
    return a instanceof Tuple ? Tuple.ofItems(items) : items;
  }
  throw unsupported('+', defined(a), defined(b));
}

function multiply(a: Value, b: Value): Value {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) {
    return typeof x === 'bigint' && typeof y === 'bigint' ? x * y : Number(x) * Number(y);
  }
  if (typeof x === 'bigint' && y === undefined) return repeat(b, x) ?? fail('*', a, b);
  if (typeof y === 'bigint') return repeat(a, y) ?? fail('*', a, b);
  return fail('*', a, b);
}

function fail(operator: string, a: Value, b: Value): never {
  throw unsupported(operator, defined(a), defined(b));
}

function repeat(value: Value, times: bigint): Value | undefined {
  if (!isText(value) && !Array.isArray(value)) return undefined;
  const length = isText(value) ? textOf(value).length : value.length;
  const count = Math.max(0, Number(times));
  checkSize(length * count);
  if (typeof value === 'string') return value.repeat(count);
  if (value instanceof Markup) return new Markup(value.text.repeat(count));
  const items = Array.from({ length: count }, () => [...(value as Value[])]).flat();
  return value instanceof Tuple ? Tuple.ofItems(items) : items;
}

/** Operators on two numbers; division rounds down, and a remainder has the sign of the divisor, as in Python. */
function arithmetic(operator: string, a: Value, b: Value): Value {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x === undefined || y === undefined) return fail(operator, a, b);
  if (operator !== '-' && operator !== '**' && Number(y) === 0) {
    throw new JinjaError('division by zero');
  }
  if (typeof x === 'bigint' && typeof y === 'bigint') return ofIntegers(operator, x, y);
  const [left, right] = [Number(x), Number(y)];
  switch (operator) {
    case '-':
      return left - right;
    case '/':
      return left / right;
    case '//':
      return Math.floor(left / right);
    case '%':
      return left - right * Math.floor(left / right);
    default:
      return left ** right;
  }
}

function ofIntegers(operator: string, x: bigint, y: bigint): Value {
  switch (operator) {
    case '-':
      return x - y;
    case '/':
      return Number(x) / Number(y);
    case '//':
      return (x - modulo(x, y)) / y;
    case '%':
      return modulo(x, y);
    default:
      if (y < 0n) {
        if (x === 0n) throw new JinjaError('0.0 cannot be raised to a negative power');
        return Number(x) ** Number(y);
      }
      if (x.toString().length * Number(y) > LARGEST_POWER) {
        throw new JinjaError('the result of ** is too large');
      }
      return x ** y;
  }
}

const modulo = (x: bigint, y: bigint): bigint => {
  const rest = x % y;
  return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest;
};

/** `a operator b`, except `and` and `or`. */
export function operate(operator: string, a: Value, b: Value): Value {
  switch (operator) {
    case '==':
      return equals(a, b);
    case '!=':
      return !equals(a, b);
    case 'in':
      return contains(b, a);
    case 'not in':
      return !contains(b, a);
    case '<':
      return compare(a, b) < 0;
    case '<=':
      return compare(a, b) <= 0;
    case '>':
      return compare(a, b) > 0;
    case '>=':
      return compare(a, b) >= 0;
    case '~':
      return concatenate(textOf(a), textOf(b));
    case '+':
      return add(a, b);
    case '*':
      return multiply(a, b);
    default:
      if (operator === '%' && isText(a)) {
        return percentFormat(textOf(a), b instanceof Tuple ? [...b] : [b], b);
      }
      return arithmetic(operator, a, b);
  }
}

/** `-a` and `+a`. */
export function signed(operator: string, value: Value): Value {
  const number = numberOf(defined(value));
  if (number === undefined) {
    throw new JinjaError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  }
  return operator === '-' ? -number : number;
}
