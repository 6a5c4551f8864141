import type { ConfigProblem } from '../errors.js';
import type { FieldReader } from './cross-field.js';

/**
 * One problem for each option of a group that is given although it has no effect with the value of another option.
 *
 * @param selector the other option, e.g. 'optimizer.type'
 */
export function inapplicableProblems(
  read: FieldReader,
  selector: string,
  group: string,
  names: readonly string[],
): ConfigProblem[] {
  return names
    .map((name) => `${group}.${name}`)
    .filter(read.given)
    .map((path) => ({
      path,
      message: `expected no ${path} with ${selector} '${read.value(selector)}' but received ${read.value(path)}`,
    }));
}

/** A copy without some options, so that a configuration shows only the options that have an effect. */
export function without<T extends object, K extends keyof T>(
  given: T,
  options: readonly K[],
): Omit<T, K> & Partial<Pick<T, K>> {
  const copy = { ...given };
  for (const option of options) delete copy[option];
  return copy;
}

/** A problem if `path` is given although it has no effect without `value` for `selector`. */
export function needs(
  read: FieldReader,
  path: string,
  selector: string,
  value: string,
): ConfigProblem[] {
  if (!read.given(path) || read.value(selector) === value) return [];
  const message = `expected no ${path} with ${selector} '${read.value(selector)}' but received ${read.value(path)}`;
  return [{ path, message }];
}

/** Weights that are trained are not kept, and F32 products read the layout of the model. */
export function weightCacheProblems(read: FieldReader): ConfigProblem[] {
  if (read.value('weightCache') !== true) return [];
  return [
    ...needs(read, 'weightCache', 'mode', 'lora'),
    ...(read.value('precision') === 'f32' ? needs(read, 'weightCache', 'precision', 'bf16') : []),
  ];
}
