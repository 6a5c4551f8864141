import { integer } from './callables.js';
import { fixed } from './format.js';
import type { Run } from './sequences.js';
import { strip } from './text-methods.js';
import { defined, isText, JinjaError, numberOf, textOf, typeName } from './values.js';

export const toInteger: Run = (value, fallback = 0n, base = 10n) => {
  const number = numberOf(defined(value));
  if (typeof number === 'bigint') return number;
  if (number !== undefined) return Number.isFinite(number) ? BigInt(Math.trunc(number)) : fallback;
  if (!isText(value)) return fallback;
  const text = strip(textOf(value)).replaceAll('_', '');
  const radix = integer(base);
  if (radix !== 10) {
    const digits = text.toLowerCase().replace(/^0[xob]/, '');
    const parsed = Number.parseInt(digits, radix);
    return parsed.toString(radix) === digits ? BigInt(parsed) : fallback;
  }
  if (/^[+-]?\d+$/.test(text)) return BigInt(text.replace('+', ''));
  const float = floatOf(text);
  return float === undefined || !Number.isFinite(float) ? fallback : BigInt(Math.trunc(float));
};

/** Python's float() of a text. */
function floatOf(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  const named = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (named === null) return undefined;
  if (named[2]!.toLowerCase() === 'nan') return Number.NaN;
  return named[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

export const toFloat: Run = (value, fallback = 0) => {
  const number = numberOf(defined(value));
  if (number !== undefined) return Number(number);
  return (isText(value) ? floatOf(strip(textOf(value))) : undefined) ?? fallback;
};

export const round: Run = (value, precision = 0n, method = 'common') => {
  const number = numberOf(defined(value));
  if (number === undefined) throw new JinjaError(`type ${typeName(value)} cannot be rounded`);
  const digits = integer(precision);
  const name = textOf(method);
  if (name === 'common') {
    if (typeof number === 'bigint') return number;
    return roundHalfEven(number, digits);
  }
  const power = 10 ** digits;
  return (name === 'ceil' ? Math.ceil : Math.floor)(Number(number) * power) / power;
};

function roundHalfEven(value: number, digits: number): number {
  if (digits >= 0) return Number(fixed(value, Math.min(digits, 70)));
  const power = 10 ** -digits;
  return Number(fixed(value / power, 0)) * power;
}

export const absolute: Run = (value) => {
  const number = numberOf(defined(value));
  if (number === undefined) {
    throw new JinjaError(`bad operand type for abs(): '${typeName(value)}'`);
  }
  return number < 0 ? -number : number;
};
