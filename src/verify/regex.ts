import type { VerifierConfigOf } from '../config/verifier.js';
import { withinTime } from '../time-limit.js';
import {
  expectedOf,
  failed,
  passed,
  shortened,
  taskInvalid,
  type Verifier,
  type VerifierTask,
} from './verifier.js';

/** A pattern that takes longer backtracks without end. */
const TIMEOUT_MS = 1000;

/** Passes if the answer matches the pattern. A match that takes more than a second fails. */
export function regexVerifier({ type, pattern, flags }: VerifierConfigOf<'regex'>): Verifier {
  const sourceOf = (task: VerifierTask): string => {
    if (pattern !== undefined) return pattern;
    const source = expectedOf(task, type);
    try {
      new RegExp(source, flags);
      return source;
    } catch {
      throw taskInvalid(task, `'${shortened(source)}' is not a regular expression`);
    }
  };
  return {
    name: type,
    check: (task) => void sourceOf(task),
    async verify(output, task) {
      const source = sourceOf(task);
      const matched = withinTime(() => new RegExp(source, flags).test(output), TIMEOUT_MS);
      if (matched?.value) return passed('compare');
      const reason = matched === null ? 'took longer than 1 s on' : 'does not match';
      return failed('compare', `/${shortened(source)}/ ${reason} '${shortened(output)}'`);
    },
  };
}
