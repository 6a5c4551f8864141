import type { VerifierConfigOf } from '../config/verifier.js';
import { jsonCheck, jsonText } from '../json-answer.js';
import { failed, passed, shortened, type Verifier } from './verifier.js';

/**
 * Passes if the answer, or its only code block, is JSON that fits the schema.
 *
 * @throws LlamatuneError JSON_SCHEMA_INVALID
 */
export function jsonVerifier({ type, schema }: VerifierConfigOf<'json'>): Verifier {
  const check = jsonCheck(schema);
  return {
    name: type,
    async verify(output) {
      const problem = check(output);
      if (problem === null) return passed('compare');
      return failed(isJson(jsonText(output)) ? 'compare' : 'extract', shortened(problem));
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
