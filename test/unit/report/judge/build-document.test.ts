import { describe, expect, it } from 'vitest';
import type { JudgeResults } from '../../../../src/judge/results.js';
import { judgeResultsSchema } from '../../../../src/judge/results.js';
import { renderJudgement } from '../../../../src/report/judge/render-judgement.js';

const tally = {
  ...{ pairs: 33, wins: 20, losses: 5, ties: 7, identical: 2, undecided: 1, winRate: 23.5 / 32 },
  ...{ interval: [0.6, 0.85] as [number, number], p: 0.0004, agreement: 0.9, firstShare: 0.55 },
  ...{ verdicts: 62, invalid: 1 },
};
const results = (changes: Partial<JudgeResults> = {}): JudgeResults => ({
  ...{ format: 'llamatune-judge', version: 1, systems: ['tuned', 'base'], rows: 33 },
  judge: {
    ...{ model: 'judge.gguf', prompt: '{answerA} or {answerB}?', rubric: 'Be right.', seed: 42 },
    ...{ explain: false, constrained: true, temperature: 0, maxTokens: 16, modelBytes: 1000 },
    ...{ chatTemplate: null, contextLength: null, questions: '0f' },
  },
  comparisons: [{ left: 'tuned', right: 'base', ...tally }],
  check: {
    ...tally,
    ...{ source: 'references', referenceShown: false, betterThanChance: true },
  },
  failures: [],
  ...{ promptTokens: 1000, generatedTokens: 62, seconds: 3 },
  ...changes,
});

describe('renderJudgement', () => {
  it('shows comparisons, the check and its accuracy', () => {
    const text = renderJudgement(results(), { format: 'markdown' });
    expect(text).toContain('tuned against base');
    expect(text).toContain('73.4 %');
    expect(text).toContain('60.0 to 85.0 %');
    expect(text).toContain('< 0.001');
    expect(text).toContain('Accuracy of the judge on 33 pairs with a known winner');
    expect(text).toContain('1 pair without a valid verdict');
    expect(text).not.toContain('not better than chance');
  });

  it('says that a judge is not better than chance, or was not checked', () => {
    const check = { ...results().check!, betterThanChance: false, winRate: 0.5, p: 1 };
    expect(renderJudgement(results({ check }), { format: 'text' })).toContain(
      'The judge is not better than chance on them',
    );
    expect(renderJudgement(results({ check: null }), { format: 'text' })).toContain(
      'The judge was not checked',
    );
  });

  it('says that pairs of references are easy for a judge that sees the reference', () => {
    const check = { ...results().check!, referenceShown: true };
    expect(renderJudgement(results({ check }), { format: 'text' })).toContain(
      'The judge sees the reference',
    );
  });

  it('names questions that failed, and rates that are unknown', () => {
    const failures = [{ code: 'PROMPT_TOO_LONG', message: 'too long', questions: 4 }];
    const none = { winRate: null, interval: null, p: null, agreement: null, firstShare: null };
    const comparisons = [{ left: 'tuned', right: 'base', ...tally, ...none }];
    const text = renderJudgement(results({ failures, comparisons }), { format: 'text' });
    expect(text).toContain('4 questions failed with PROMPT_TOO_LONG: too long');
    expect(text).toContain('n/a');
  });

  it('writes a page and the results', () => {
    const page = renderJudgement(results(), { format: 'html' });
    expect(page.includes('chartOptions = [{') && page.includes('tuned against base')).toBe(true);
    const json = JSON.parse(renderJudgement(results(), { format: 'json' }));
    expect(judgeResultsSchema.parse(json)).toEqual(results());
  });
});
