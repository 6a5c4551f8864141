import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import { shapeOf } from './schema-shape.js';

/** Reads fields, with their defaults, of an input that may be invalid. */
export interface FieldReader {
  /** The number in the field; undefined if it is absent or invalid. */
  number(path: string): number | undefined;
  /** Whether the input has the field, rather than its default. */
  given(path: string): boolean;
  /** The value of the field, or the given value if it is invalid; undefined if it is absent. */
  value(path: string): unknown;
}

type Rules = (read: FieldReader) => (ConfigProblem | undefined)[];

const rulesOf = new WeakMap<z.ZodType, Rules>();

/**
 * Adds rules between fields to an object schema, for `parseConfig`. Zod's own refinements are not
 * used because zod skips them as soon as a single field is invalid, and a user should see every
 * problem at once.
 */
export function withCrossFieldRules<S extends z.ZodType>(schema: S, rules: Rules): S {
  rulesOf.set(schema, rules);
  return schema;
}

/** Problems that a schema's rules between fields find in an input, valid or not. */
export function crossFieldProblems(schema: z.ZodType, input: unknown): ConfigProblem[] {
  const rules = rulesOf.get(schema);
  if (rules === undefined || typeof input !== 'object' || input === null) return [];
  return rules(fieldReader(schema, input)).filter((problem) => problem !== undefined);
}

function fieldReader(schema: z.ZodType, input: unknown): FieldReader {
  const read = (path: string) => readField(schema, input, path.split('.'));
  return {
    given: (path) => givenAt(input, path.split('.')) !== undefined,
    value: (path) => read(path).value,
    number(path) {
      const { value, valid } = read(path);
      return valid && typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    },
  };
}

function givenAt(input: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return input;
  if (typeof input !== 'object' || input === null) return undefined;
  return givenAt((input as Record<string, unknown>)[key], rest);
}

function readField(
  schema: z.ZodType,
  input: unknown,
  [key, ...rest]: readonly string[],
): { value: unknown; valid: boolean } {
  if (key === undefined) {
    const parsed = schema.safeParse(input);
    return parsed.success ? { value: parsed.data, valid: true } : { value: input, valid: false };
  }
  const given = input === undefined ? defaultOf(schema) : input;
  if (typeof given !== 'object' || given === null) return { value: undefined, valid: false };
  // A field inside a union has several schemas: take it as given.
  const field = shapeOf(schema)?.[key] ?? z.unknown();
  return readField(field, (given as Record<string, unknown>)[key], rest);
}

function defaultOf(schema: z.ZodType): unknown {
  return (schema.def as { defaultValue?: unknown }).defaultValue;
}
