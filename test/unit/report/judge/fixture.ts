import type { JudgeResults } from '../../../../src/judge/results.js';

export const tally = {
  ...{ pairs: 33, wins: 20, losses: 5, ties: 7, identical: 2, undecided: 1, winRate: 23.5 / 32 },
  ...{ interval: [0.6, 0.85] as [number, number], p: 0.0004, agreement: 0.9, firstShare: 0.55 },
  ...{ verdicts: 62, invalid: 1 },
};
export const resultsOf = (changes: Partial<JudgeResults> = {}): JudgeResults => ({
  ...{ format: 'llamatune-judge', version: 1, systems: ['tuned', 'base'], rows: 33 },
  judge: {
    ...{ model: 'judge.gguf', prompt: '{answerA} or {answerB}?', rubric: 'Be right.', seed: 42 },
    ...{ explain: false, constrained: true, temperature: 0, maxTokens: 16, modelBytes: 1000 },
    ...{ chatTemplate: null, contextLength: null, questions: '0f' },
  },
  comparisons: [{ left: 'tuned', right: 'base', missing: { left: 2, right: 0 }, ...tally }],
  check: {
    ...tally,
    ...{ source: 'references', referenceShown: false, betterThanChance: true },
  },
  failures: [],
  ...{ promptTokens: 1000, generatedTokens: 62, seconds: 3 },
  ...changes,
});
