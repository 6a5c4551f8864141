import type { VerifierConfigOf } from '../config/verifier.js';
import { lastNumber } from './last-number.js';
import {
  expectedOf,
  failed,
  passed,
  shortened,
  taskInvalid,
  type Verifier,
  type VerifierTask,
} from './verifier.js';

/** Passes if the last number of the answer is the last number of the expected answer, within the tolerance. */
export function numericVerifier({ type, tolerance }: VerifierConfigOf<'numeric'>): Verifier {
  const expectedNumber = (task: VerifierTask): number => {
    const text = expectedOf(task, type);
    const number = lastNumber(text);
    if (number !== null) return number;
    throw taskInvalid(task, `its expected answer '${shortened(text)}' has no number`);
  };
  return {
    name: type,
    check: (task) => void expectedNumber(task),
    async verify(output, task) {
      const expected = expectedNumber(task);
      const found = lastNumber(output);
      if (found === null) return failed('extract', `no number in '${shortened(output)}'`);
      const isEqual = Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected));
      return isEqual ? passed('compare') : failed('compare', `${found} instead of ${expected}`);
    },
  };
}
