import { type Callable, JinjaError, numberOf, typeName, type Value } from './values.js';

/**
 * A function with named parameters, which a template may give by position or by keyword.
 *
 * @param parameters their names, as in Python; the first `required` must be given.
 */
export function define(
  name: string,
  parameters: readonly string[],
  run: (...values: (Value | undefined)[]) => Value,
  required = 0,
): Callable {
  return (args, keywords) => {
    if (args.length > parameters.length) {
      throw new JinjaError(
        `${name}() takes at most ${parameters.length} arguments (${args.length} given)`,
      );
    }
    const values: (Value | undefined)[] = parameters.map((_, i) => args[i]);
    for (const [key, value] of keywords) {
      const at = parameters.indexOf(key);
      if (at < 0) throw new JinjaError(`${name}() got an unexpected keyword argument '${key}'`);
      if (values[at] !== undefined) {
        throw new JinjaError(`${name}() got multiple values for argument '${key}'`);
      }
      values[at] = value;
    }
    const missing = parameters.findIndex((_, i) => i < required && values[i] === undefined);
    if (missing >= 0) {
      throw new JinjaError(`${name}() misses the argument '${parameters[missing]}'`);
    }
    return run(...values);
  };
}

/** An argument that must be an int. */
export function integer(value: Value): number {
  const number = numberOf(value);
  if (typeof number === 'bigint') return Number(number);
  throw new JinjaError(`'${typeName(value)}' object cannot be interpreted as an integer`);
}
