import { parseConfig } from '../config/parse.js';
import {
  type VerifierConfig,
  type VerifierConfigOf,
  type VerifierOptions,
  verifierSchema,
} from '../config/verifier.js';
import { compileVerifier, runVerifier, testsVerifier } from './code-verifiers.js';
import { exactVerifier } from './exact.js';
import { jsonVerifier } from './json.js';
import { numericVerifier } from './numeric.js';
import { regexVerifier } from './regex.js';
import { functionVerifier, type VerifyFunction } from './user-function.js';
import type { Verifier } from './verifier.js';

type Factories = {
  [T in VerifierConfig['type']]: (config: VerifierConfigOf<T>) => Verifier | Promise<Verifier>;
};

const FACTORIES: Factories = {
  exact: exactVerifier,
  numeric: numericVerifier,
  regex: regexVerifier,
  json: jsonVerifier,
  compile: compileVerifier,
  run: runVerifier,
  tests: testsVerifier,
};

/**
 * Makes a verifier from its options, or from a function: see VerifyFunction. Tools that it needs are looked for at once,
 * so that nothing is generated in vain.
 *
 * @throws LlamatuneError CONFIG_INVALID; JSON_SCHEMA_INVALID; TOOLCHAIN_NOT_FOUND; SANDBOX_UNAVAILABLE
 */
export async function createVerifier(given: VerifierOptions | VerifyFunction): Promise<Verifier> {
  if (typeof given === 'function') return functionVerifier(given);
  const config = parseConfig(verifierSchema, given, 'verifier options');
  return (FACTORIES[config.type] as (config: VerifierConfig) => Verifier | Promise<Verifier>)(
    config,
  );
}
