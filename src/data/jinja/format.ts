import { padding } from './text-methods.js';
import { JinjaError, numberOf, repr, reprOfFloat, textOf, typeName, type Value } from './values.js';

/** Python's str.format(). */
export function format(template: string, args: Value[], keywords: Map<string, Value>): string {
  let next = 0;
  return template.replace(
    /\{\{|\}\}|\{([^{}!:]*)(?:!([rsa]))?(?::((?:[^{}]|\{[^{}]*\})*))?\}|[{}]/g,
    (match, field?: string, conversion?: string, spec?: string) => {
      if (match === '{{' || match === '}}') return match[0]!;
      if (field === undefined) throw new JinjaError(`Single '${match}' in a format text`);
      let value = fieldOf(field === '' ? String(next++) : field, args, keywords);
      if (conversion !== undefined) value = conversion === 's' ? textOf(value) : repr(value);
      const inner = spec?.replace(/\{([^}]*)\}/g, (_, key: string) =>
        textOf(fieldOf(key === '' ? String(next++) : key, args, keywords)),
      );
      return formatValue(value, inner ?? '');
    },
  );
}

function fieldOf(name: string, args: Value[], keywords: Map<string, Value>): Value {
  const value = /^\d+$/.test(name) ? args[Number(name)] : keywords.get(name);
  if (value === undefined) throw new JinjaError(`format() misses the argument '${name}'`);
  return value;
}

const SPEC = /^(?:(.)?([<>=^]))?([+\- ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su;

/** Python's format(): a value with a format specification. */
function formatValue(value: Value, spec: string): string {
  if (spec === '') return textOf(value);
  const match = SPEC.exec(spec);
  if (match === null) throw new JinjaError(`Invalid format specifier '${spec}'`);
  const [, fill, align, sign, alternate, zero, width, group, precision, type] = match;
  const number = numberOf(value);
  let body: string;
  if (number === undefined) {
    if (type !== undefined && type !== 's') {
      throw new JinjaError(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
    }
    body = textOf(value);
    if (precision !== undefined) body = [...body].slice(0, Number(precision)).join('');
  } else {
    body = formatNumber(number, type, precision, group);
    if (alternate !== undefined && /[xXob]/.test(type ?? '')) body = `0${type}${body}`;
    if ((sign === '+' || sign === ' ') && !body.startsWith('-')) body = sign + body;
  }
  const missing = padding(Number(width ?? 0), body);
  const space = (fill ?? (zero === undefined ? ' ' : '0')).repeat(missing);
  const side = align ?? (zero !== undefined ? '=' : number === undefined ? '<' : '>');
  if (side === '<') return body + space;
  if (side === '>') return space + body;
  if (side === '=') return body.replace(/^[+\- ]?/, (start) => start + space);
  const half = Math.floor(missing / 2);
  return space.slice(0, half) + body + space.slice(half);
}

function formatNumber(
  value: bigint | number,
  type: string | undefined,
  precision: string | undefined,
  group: string | undefined,
): string {
  let text: string;
  if (type === 'x' || type === 'X' || type === 'o' || type === 'b') {
    const radix = type === 'o' ? 8 : type === 'b' ? 2 : 16;
    text = BigInt(value).toString(radix);
    if (type === 'X') text = text.toUpperCase();
  } else if (type === 'd' || (type === undefined && typeof value === 'bigint')) {
    if (typeof value === 'number') {
      throw new JinjaError("Unknown format code 'd' for object of type 'float'");
    }
    text = value.toString();
  } else if (type === 'f' || type === 'F' || type === '%') {
    const digits = Number(precision ?? 6);
    text = fixed(Number(value) * (type === '%' ? 100 : 1), digits);
    if (type === '%') text += '%';
  } else if (type === 'e' || type === 'E') {
    text = exponential(Number(value), Number(precision ?? 6));
    if (type === 'E') text = text.toUpperCase();
  } else {
    const isGeneral = type !== undefined || precision !== undefined;
    text = isGeneral ? general(Number(value), Number(precision ?? 6)) : reprOfFloat(Number(value));
    if (type === undefined && isGeneral && /^-?\d+$/.test(text)) text += '.0';
  }
  if (group === undefined) return text;
  return text.replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, group));
}

/** A float with a number of decimals; a value exactly between two texts becomes the even one, as in Python. */
export function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return reprOfFloat(value);
  if (decimals > 70) throw new JinjaError('a float has at most 70 decimals');
  if (Math.abs(value) >= 1e21) {
    return BigInt(value) + (decimals === 0 ? '' : `.${'0'.repeat(decimals)}`);
  }
  const exact = value.toFixed(decimals + 30);
  const [below, rest] = [exact.slice(0, -30).replace(/\.$/, ''), exact.slice(-30)];
  const isTie = /^50*$/.test(rest);
  return isTie && /[02468]$/.test(below) ? below : value.toFixed(decimals);
}

const exponential = (value: number, digits: number): string =>
  value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');

/** Python's 'g': `precision` digits, without zeros at the end. */
function general(value: number, precision: number): string {
  const digits = Math.max(1, precision);
  if (value === 0 || !Number.isFinite(value)) return reprOfFloat(value).replace('.0', '');
  const power = Number(value.toExponential(digits - 1).split('e')[1]);
  const [body, exponent = ''] =
    power < -4 || power >= digits
      ? exponential(value, digits - 1).split(/(?=e)/)
      : [fixed(value, digits - 1 - power)];
  return (body!.includes('.') ? body!.replace(/\.?0+$/, '') : body!) + exponent;
}

/** Python's % operator on a text. */
export function percentFormat(template: string, values: Value[], byName: Value): string {
  let next = 0;
  const text = template.replace(
    /%(?:\(([^)]*)\))?([-+ #0]*)(\d+)?(?:\.(\d+))?([diouxXeEfFgGcrsa%])/g,
    (_, name: string | undefined, flags: string, width = '', precision, type: string) => {
      if (type === '%') return '%';
      const value =
        name === undefined ? values[next++] : byName instanceof Map ? byName.get(name) : undefined;
      if (value === undefined) throw new JinjaError('not enough arguments for format string');
      const align = flags.includes('-') ? '<' : flags.includes('0') ? '' : '>';
      const sign = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
      const zero = flags.includes('0') && !flags.includes('-') ? '0' : '';
      const digits = precision === undefined ? '' : `.${precision}`;
      if ('rsa'.includes(type)) {
        const shown = type === 's' ? textOf(value) : repr(value);
        return formatValue(shown, `${align || '>'}${width}${digits}`);
      }
      if ('diu'.includes(type)) {
        const number = numberOf(value);
        if (number === undefined) {
          throw new JinjaError(
            `%${type} format: a real number is required, not ${typeName(value)}`,
          );
        }
        return formatValue(BigInt(Math.trunc(Number(number))), `${align}${sign}${zero}${width}d`);
      }
      if (type === 'c') return formatValue(textOf(value), `${align || '>'}${width}`);
      return formatValue(value, `${align}${sign}${zero}${width}${digits}${type}`);
    },
  );
  if (next < values.length && !(byName instanceof Map)) {
    throw new JinjaError('not all arguments converted during string formatting');
  }
  return text;
}
