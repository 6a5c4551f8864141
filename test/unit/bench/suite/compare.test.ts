import { describe, expect, it } from 'vitest';
import { compareResults } from '../../../../src/bench/suite/compare.js';
import type { SuiteResults } from '../../../../src/bench/suite/results.js';
import { measureOf, present } from '../../../../src/bench/suite/trial.js';
import { results } from '../../report/suite/fixture.js';

/** The same results with other speeds in the first trial. */
function withSpeeds(...samples: number[]): SuiteResults {
  const [first, ...others] = results.trials;
  const measures = present({ tokensPerSecond: measureOf('tokens/s', samples) });
  return { ...results, trials: [{ ...first!, measures }, ...others] };
}
const verdict = (...samples: number[]) =>
  compareResults(withSpeeds(50, 51, 49, 50), withSpeeds(...samples)).comparisons[0]!.verdict;

describe('compareResults', () => {
  it('finds no difference between results and themselves', () => {
    const { comparisons, meanSpeedRatio } = compareResults(results, results);
    expect(comparisons.length).toBeGreaterThan(5);
    for (const { ratio, verdict } of comparisons) {
      expect(ratio).toBe(1);
      expect(verdict).toBe('same');
    }
    expect(meanSpeedRatio).toBeCloseTo(1, 12);
  });

  it('tells better and worse from noise', () => {
    expect(verdict(60, 61, 59, 60)).toBe('better');
    expect(verdict(40, 41, 39, 40)).toBe('worse');
    expect(verdict(48, 53, 51, 50)).toBe('same');
    expect(verdict(30, 31)).toBe('unknown');
  });

  it('refuses a tolerance that is not a number of at least 0', () => {
    for (const tolerance of [-0.1, Number.NaN])
      expect(() => compareResults(results, results, { tolerance })).toThrow(
        'tolerance: expected a number of at least 0',
      );
  });

  it('ignores differences below the tolerance, even beyond noise', () => {
    const [before, after] = [withSpeeds(50, 50.1, 49.9), withSpeeds(48.5, 48.6, 48.4)];
    expect(compareResults(before, after).comparisons[0]!.verdict).toBe('same');
    const strict = compareResults(before, after, { tolerance: 0.01 });
    expect(strict.comparisons[0]!.verdict).toBe('worse');
  });

  it('compares the one peak of memory that a trial has by the tolerance', () => {
    const withMemory = (peak: number): SuiteResults => {
      const measures = present({ peakMemory: measureOf('bytes', [peak]) });
      return { ...results, trials: [{ ...results.trials[0]!, measures }] };
    };
    const verdictOf = (before: number, after: number, tolerance?: number) =>
      compareResults(withMemory(before), withMemory(after), { tolerance }).comparisons[0]!;
    expect(verdictOf(2e9, 4e9)).toMatchObject({ verdict: 'worse', interval: null });
    expect(verdictOf(4e9, 2e9).verdict).toBe('better');
    expect(verdictOf(4e9, 4.15e9).verdict).toBe('same');
    expect(verdictOf(4e9, 4.15e9, 0.03).verdict).toBe('worse');
    expect(verdictOf(4e9, 4.05e9, 0).verdict).toBe('same'); // less than 2 % is noise
  });

  it('names trials that only one has or that failed', () => {
    const fewer = { ...results, trials: results.trials.slice(1) };
    const { notCompared } = compareResults(results, fewer);
    expect(notCompared).toContain(results.trials[0]!.key);
    expect(notCompared).toContain('training | models/base.gguf | F16 | cpu');
  });
});
