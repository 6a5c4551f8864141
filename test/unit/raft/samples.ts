import type { RaftSample } from '../../../src/raft/samples.js';
import { failed, passed } from '../../../src/verify/verifier.js';

/** A sample with the given fields; it passed unless a verdict says otherwise. */
export const sampleOf = (given: Partial<RaftSample> = {}): RaftSample => ({
  index: 0,
  sample: 0,
  system: 'cycle 1',
  prompt: 'question',
  reference: null,
  output: `answer ${given.sample ?? 0}`,
  scores: {},
  finishReason: 'eos',
  promptTokens: 3,
  generatedTokens: 2,
  verdict: passed('compare'),
  ...given,
});

/** The answers to one prompt: '+' passed, '-' failed. */
export const answersTo = (index: number, marks: string): RaftSample[] =>
  [...marks].map((mark, sample) =>
    sampleOf({
      index,
      sample,
      verdict: mark === '+' ? passed('compare') : failed('compare', 'wrong'),
    }),
  );
