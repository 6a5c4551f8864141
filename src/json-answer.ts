import { createRequire } from 'node:module';
import type { ErrorObject } from 'ajv';
import { LlamatuneError, reasonOf } from './errors.js';
import { withinTime } from './time-limit.js';

/** A JSON schema: an object, or true (everything fits) or false (nothing fits). */
export type JsonSchema = Record<string, unknown> | boolean;

/** Says what is wrong with an answer that should be JSON; null if nothing is. */
export type JsonCheck = (answer: string) => string | null;

/** A pattern of a schema that takes longer backtracks without end. */
const TIMEOUT_MS = 1000;

/**
 * A check that an answer is JSON and fits a schema. The answer is JSON as a whole, or its only code block is. Draft 2020-12 of
 * JSON Schema applies, or the draft that `$schema` names: 2019-09, 07 or 06. An answer that cannot be checked within a second
 * does not fit.
 *
 * @throws LlamatuneError JSON_SCHEMA_INVALID
 */
export function jsonCheck(schema: JsonSchema): JsonCheck {
  const validate = compile(schema);
  return (answer) => {
    let value: unknown;
    try {
      value = JSON.parse(jsonText(answer));
    } catch (error) {
      return `not JSON: ${reasonOf(error)}`;
    }
    try {
      const fits = withinTime(() => validate(value), TIMEOUT_MS);
      if (fits === null) return 'checking it took longer than 1 s';
      return fits.value ? null : problemText(validate.errors ?? []);
    } catch (error) {
      return `it could not be checked: ${reasonOf(error)}`; // nested too deeply
    }
  };
}

/** The content of the only code block of an answer, otherwise the whole answer. */
export function jsonText(answer: string): string {
  const blocks = [...answer.matchAll(/^[ \t]*```[^\n`]*\n([\s\S]*?)^[ \t]*```[ \t]*$/gm)];
  return blocks.length === 1 ? blocks[0]![1]! : answer;
}

const OPTIONS = { strict: false, logger: false } as const;

/** Loaded when it is needed: it is large. */
function newAjv(draft: string): import('ajv').Ajv {
  const require = createRequire(import.meta.url);
  const addFormats: typeof import('ajv-formats').default = require('ajv-formats');
  const { default: Ajv } = require(
    /draft-0[67]/.test(draft)
      ? 'ajv'
      : draft.includes('2019-09')
        ? 'ajv/dist/2019.js'
        : 'ajv/dist/2020.js',
  );
  return addFormats(new Ajv(OPTIONS));
}

function compile(schema: JsonSchema) {
  try {
    if (typeof schema === 'object' && schema.$async) throw new Error('$async is not supported');
    const draft = typeof schema === 'object' ? String(schema.$schema ?? '') : '';
    const ajv = newAjv(draft);
    if (!draft.includes('draft-06')) return ajv.compile(schema);
    // Draft 07 only adds keywords to draft 06.
    const { $schema: _, ...rest } = schema as Record<string, unknown>;
    return ajv.compile(rest);
  } catch (cause) {
    throw new LlamatuneError(
      'JSON_SCHEMA_INVALID',
      `the JSON schema is invalid: ${reasonOf(cause)}`,
      {
        hint: 'correct the schema; drafts 2020-12, 2019-09, 07 and 06 are supported',
        cause,
      },
    );
  }
}

function problemText(errors: readonly ErrorObject[]): string {
  const { instancePath = '', message = 'it does not fit the schema' } = errors[0] ?? {};
  return `${instancePath === '' ? 'the value' : instancePath} ${message}`;
}
