import { createContext, Script } from 'node:vm';
import type { VerifierConfigOf } from '../config/verifier.js';
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

const TEST = new Script('new RegExp(source, flags).test(text)');

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
      const matches = matchesInTime(source, flags, output);
      if (matches) return passed('compare');
      const reason = matches === null ? 'took longer than 1 s on' : 'does not match';
      return failed('compare', `/${shortened(source)}/ ${reason} '${shortened(output)}'`);
    },
  };
}

/** Whether a text matches; null after the timeout. */
function matchesInTime(source: string, flags: string, text: string): boolean | null {
  try {
    const context = createContext({ source, flags, text });
    return TEST.runInContext(context, { timeout: TIMEOUT_MS }) as boolean;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  }
}
