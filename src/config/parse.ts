import type { z } from 'zod';
import { closest } from '../closest.js';
import { type ConfigProblem, LlamatuneError } from '../errors.js';
import { crossFieldProblems } from './cross-field.js';
import { metaOf, schemaAt, shapeOf } from './schema-shape.js';

type Issue = z.core.$ZodIssue;

/**
 * Checks a configuration and fills in its defaults. Nothing is coerced or clamped.
 *
 * @param what names the configuration in the message, e.g. 'finetune options'.
 * @throws LlamatuneError CONFIG_INVALID with every problem at once, each with its path.
 */
export function parseConfig<S extends z.ZodType>(
  schema: S,
  input: unknown,
  what = 'options',
): z.output<S> {
  const parsed = schema.safeParse(input, { reportInput: true });
  const problems = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => problemsOf(issue, schema)),
    ...crossFieldProblems(schema, input),
  ];
  if (parsed.success && problems.length === 0) return parsed.data;
  throw configError(problems, what);
}

/** A CONFIG_INVALID error, also for problems that are found after parsing. */
export function configError(problems: readonly ConfigProblem[], what = 'options'): LlamatuneError {
  const list = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const title =
    list.length === 1
      ? `invalid ${what}: ${list[0]}`
      : `invalid ${what}, ${list.length} problems:\n${list.map((line) => `  ${line}`).join('\n')}`;
  return new LlamatuneError('CONFIG_INVALID', title, {
    hint: 'correct these options; docs/configuration.md lists every option with its type and default',
    problems,
  });
}

/** "expected … but received …" for one of zod's issues; one per key for unknown keys. */
export function problemsOf(issue: Issue, schema?: z.ZodType): ConfigProblem[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'custom' && !isDefaultMessage(issue))
    return [{ path, message: issue.message }];
  if (issue.code === 'unrecognized_keys') {
    const known = schema === undefined ? [] : keysAt(schema, issue.path);
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      message: `expected a known option but received '${key}'${suggestion(key, known)}`,
    }));
  }
  const field = schema === undefined ? undefined : schemaAt(schema, issue.path);
  const typeText = field && (metaOf(field).typeText as string | undefined);
  if (issue.code === 'invalid_union' && issue.discriminator !== undefined) {
    const given = (issue.input as Record<string, unknown> | undefined)?.[issue.discriminator];
    const options = 'options' in issue ? issue.options : undefined;
    const known = (options ?? []).map(String);
    const meant = typeof given === 'string' ? suggestion(given, known) : '';
    const message = `expected ${known.map(show).join(' or ')} but received ${describeValue(given)}${meant}`;
    return [{ path, message }];
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue);
    if (branch !== undefined) {
      return branch.flatMap((inner) =>
        problemsOf({ ...inner, path: [...issue.path, ...inner.path] }),
      );
    }
  }
  const isType = issue.code !== 'too_small' && issue.code !== 'too_big';
  const expected = (isType ? typeText : undefined) ?? expectation(issue);
  return [{ path, message: `expected ${expected} but received ${describeValue(issue.input)}` }];
}

const isDefaultMessage = (issue: Issue): boolean => issue.message === 'Invalid input';

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return withArticle(issue.expected === 'int' ? 'integer' : issue.expected);
    case 'too_small':
      return bound(issue, 'at least', 'more than', issue.minimum);
    case 'too_big':
      return bound(issue, 'at most', 'less than', issue.maximum);
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_value':
      return issue.values.map((value) => show(value)).join(' or ');
    case 'invalid_union':
      return unique(
        issue.errors.flatMap((branch) => branch.slice(0, 1).map((inner) => expectation(inner))),
      ).join(' or ');
    default:
      return issue.message;
  }
}

function bound(
  issue: Extract<Issue, { code: 'too_small' | 'too_big' }>,
  inclusive: string,
  exclusive: string,
  limit: number | bigint,
): string {
  if (issue.origin === 'string' && limit === 1) return 'a text that is not empty';
  const unit = issue.origin === 'array' ? ' items' : issue.origin === 'string' ? ' characters' : '';
  const kind = unit === '' ? 'a number of ' : '';
  return `${kind}${issue.inclusive === false ? exclusive : inclusive} ${limit}${unit}`;
}

/** The union branch that fits an object best: the only one whose issues are all inside the object. */
function closestBranch(issue: Extract<Issue, { code: 'invalid_union' }>): Issue[] | undefined {
  const deep = issue.errors.filter((branch) => branch.every((inner) => inner.path.length > 0));
  return deep.length === 1 ? deep[0] : undefined;
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const at = schemaAt(schema, path);
  return at === undefined ? [] : Object.keys(shapeOf(at) ?? {});
}

function suggestion(key: string, known: readonly string[]): string {
  const meant = closest(key, known);
  return meant === undefined ? '' : `; did you mean '${meant}'?`;
}

const unique = (texts: string[]): string[] => [...new Set(texts)];
const withArticle = (noun: string): string => `${/^[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

/** Whether a column of a row has a value: null counts as absent. */
export const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

/** A short description of a value for messages. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') {
    return value === ''
      ? 'an empty text'
      : `'${value.length > 60 ? `${value.slice(0, 57)}…` : value}'`;
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'function') return 'a function';
  return String(value);
}
