import { describe, expect, it } from 'vitest';
import { judgeResultsSchema } from '../../../../src/judge/results.js';
import { renderJudgement } from '../../../../src/report/judge/render-judgement.js';
import { resultsOf, tally } from './fixture.js';

describe('renderJudgement', () => {
  it('shows comparisons, the check and its accuracy', () => {
    const text = renderJudgement(resultsOf(), { format: 'markdown' });
    expect(text).toContain('tuned against base');
    expect(text).toContain('73.4 %');
    expect(text).toContain('60.0 to 85.0 %');
    expect(text).toContain('< 0.001');
    expect(text).toContain('Accuracy of the judge on 33 pairs with a known winner');
    expect(text).toContain('p \\< 0.001 against 50 %');
    expect(text).toContain('1 pair without a valid verdict');
    expect(text).toContain('tuned gave no answer 2 times: these pairs are not judged');
    expect(text).not.toContain('base gave no answer');
    expect(text).not.toContain('not better than chance');
  });

  it('says that a judge is not better than chance, or was not checked', () => {
    const check = { ...resultsOf().check!, betterThanChance: false, winRate: 0.5, p: 1 };
    expect(renderJudgement(resultsOf({ check }), { format: 'text' })).toContain(
      'The judge is not better than chance on them',
    );
    expect(renderJudgement(resultsOf({ check: null }), { format: 'text' })).toContain(
      'The judge was not checked',
    );
  });

  it('says that pairs of references are easy for a judge that sees the reference', () => {
    const check = { ...resultsOf().check!, referenceShown: true };
    expect(renderJudgement(resultsOf({ check }), { format: 'text' })).toContain(
      'The judge sees the reference',
    );
  });

  it('names questions that failed, and rates that are unknown', () => {
    const failures = [{ code: 'PROMPT_TOO_LONG', message: 'too long', questions: 4 }];
    const none = { winRate: null, interval: null, p: null, agreement: null, firstShare: null };
    const comparisons = [{ ...resultsOf().comparisons[0]!, ...tally, ...none }];
    const text = renderJudgement(resultsOf({ failures, comparisons }), { format: 'text' });
    expect(text).toContain('4 questions failed with PROMPT_TOO_LONG: too long');
    expect(text).toContain('n/a');
  });

  it('gives bars with long names room for all lines of the names', () => {
    const height = (left: string) => {
      const comparisons = [{ ...resultsOf().comparisons[0]!, left }];
      const page = renderJudgement(resultsOf({ comparisons }), { format: 'html' });
      return Number(/data-chart="0" style="height: (\d+)px"/.exec(page)![1]);
    };
    const horizontal = height('a-name-of-a-system');
    expect(height('long-name-of-a-system-'.repeat(4))).toBeGreaterThan(horizontal + 30);
  });

  it('writes a page and the results', () => {
    const page = renderJudgement(resultsOf(), { format: 'html' });
    expect(page.includes('chartOptions = [{') && page.includes('tuned against base')).toBe(true);
    const json = JSON.parse(renderJudgement(resultsOf(), { format: 'json' }));
    expect(judgeResultsSchema.parse(json)).toEqual(resultsOf());
  });
});
