import { throwIfAborted, untilAborted } from '../contract/run.js';
import { LlamatuneError, reasonOf } from '../errors.js';
import { failed, passed, type Verdict, type Verifier, type VerifierTask } from './verifier.js';

/**
 * A verifier of the user: whether the answer passes, or its score from 0 to 1, of which only 1 passes, or a verdict,
 * whose missing fields are filled in.
 */
export type VerifyFunction = (
  output: string,
  task: VerifierTask,
  signal?: AbortSignal,
) => VerifyResult | Promise<VerifyResult>;

/** What a function of the user may return. */
export type VerifyResult = boolean | number | (Partial<Verdict> & { passed: boolean });

const STAGES: readonly unknown[] = ['extract', 'compile', 'run', 'compare'];

/** A verifier that calls a function. An error of the function ends the run with code VERIFIER_FAILED. */
export function functionVerifier(verify: VerifyFunction): Verifier {
  const name = verify.name || 'function';
  return {
    name,
    async verify(output, task, signal) {
      let result: VerifyResult;
      try {
        result = await untilAborted(() => verify(output, task, signal), signal);
      } catch (cause) {
        throwIfAborted(signal);
        throw verifierFailed(name, task, reasonOf(cause), cause);
      }
      const verdict = verdictOf(result);
      if (verdict !== null) return verdict;
      throw verifierFailed(
        name,
        task,
        'it did not return true, false, a number from 0 to 1, or a verdict with passed',
      );
    },
  };
}

function verdictOf(result: VerifyResult): Verdict | null {
  if (typeof result === 'boolean') return verdictOf(result ? 1 : 0);
  if (typeof result === 'number') {
    if (!(result >= 0 && result <= 1)) return null;
    return { ...(result === 1 ? passed('compare') : failed('compare', '')), score: result };
  }
  if (typeof result !== 'object' || result === null || typeof result.passed !== 'boolean') {
    return null;
  }
  const filled = result.passed ? passed('compare') : failed('compare', '');
  const { score, stage, compiled, detail } = result;
  const verdict = {
    passed: result.passed,
    score: score ?? filled.score,
    stage: stage ?? filled.stage,
    compiled: compiled ?? filled.compiled,
    detail: detail ?? filled.detail,
  };
  return isVerdict(verdict) ? verdict : null;
}

const isVerdict = ({ score, stage, compiled, detail }: Verdict): boolean =>
  typeof score === 'number' &&
  score >= 0 &&
  score <= 1 &&
  STAGES.includes(stage) &&
  (compiled === null || typeof compiled === 'boolean') &&
  typeof detail === 'string';

function verifierFailed(name: string, task: VerifierTask, reason: string, cause?: unknown) {
  return new LlamatuneError(
    'VERIFIER_FAILED',
    `the verifier '${name}' failed on an answer to prompt ${task.index}: ${reason}`,
    {
      hint: 'a verifier must return a verdict for every answer: correct the function',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
