import type { VerifierConfigOf } from '../config/verifier.js';
import { expectedOf, failed, passed, shortened, type Verifier } from './verifier.js';

/** Passes if the answer is the expected text. White space at both ends and the Unicode normal form do not matter. */
export function exactVerifier(config: VerifierConfigOf<'exact'>): Verifier {
  const normal = (text: string): string => {
    const trimmed = text.normalize('NFC').trim();
    const spaced = config.ignoreWhitespace ? trimmed.replace(/\s+/g, ' ') : trimmed;
    return config.ignoreCase ? spaced.toLowerCase() : spaced;
  };
  return {
    name: config.type,
    check: (task) => void expectedOf(task, config.type),
    async verify(output, task) {
      const expected = expectedOf(task, config.type);
      if (normal(output) === normal(expected)) return passed('compare');
      return failed('compare', `'${shortened(output)}' instead of '${shortened(expected)}'`);
    },
  };
}
