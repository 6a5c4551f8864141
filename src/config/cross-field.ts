import { z } from 'zod';

/** What a rule between fields reports: the field to blame and "expected … but received …". */
export interface CrossFieldProblem {
  path: string;
  message: string;
}

/** Reads a field that may itself be missing or of a wrong type. */
export interface FieldReader {
  /** The value's number; undefined when it is absent or no finite number. */
  number(path: string): number | undefined;
  /** The value as it is; undefined when it is absent. */
  value(path: string): unknown;
}

/**
 * Adds rules between fields to an object schema. Unlike zod's own refinements they also run when
 * single fields are wrong, so that a user sees every problem at once; that is why a rule reads
 * fields through a reader that knows nothing of their types.
 */
export function withCrossFieldRules<S extends z.ZodType>(
  schema: S,
  rules: (read: FieldReader) => (CrossFieldProblem | undefined)[],
): S {
  return schema.check(
    z.superRefine(
      (value, context) => {
        for (const problem of rules(fieldReader(value))) {
          if (problem === undefined) continue;
          const path = problem.path === '' ? [] : problem.path.split('.');
          context.addIssue({ code: 'custom', message: problem.message, path });
        }
      },
      { when: () => true },
    ),
  );
}

function fieldReader(root: unknown): FieldReader {
  const value = (path: string): unknown => {
    let at: unknown = root;
    for (const key of path.split('.')) {
      if (typeof at !== 'object' || at === null) return undefined;
      at = (at as Record<string, unknown>)[key];
    }
    return at;
  };
  return {
    value,
    number(path) {
      const found = value(path);
      return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
    },
  };
}
