import { describe, expect, it } from 'vitest';
import { compareSystems, measured, verdicts } from '../../../src/evaluate/compare.js';
import { type Measure, meanValue, type TaskScore } from '../../../src/evaluate/task.js';

const accuracy: Measure = {
  ...{ name: 'accuracy', title: 'accuracy', isPercent: true, higherIsBetter: true },
  statistic: meanValue,
};
const loss: Measure = { ...accuracy, name: 'loss', isPercent: false, higherIsBetter: false };
const scoresOf = (values: readonly number[]): Map<number, TaskScore> =>
  new Map(values.map((value, index) => [index, { value }]));

describe('measured', () => {
  it('has an interval for 3 rows or more that are not all equal', () => {
    expect(measured(accuracy, scoresOf([]))).toEqual({ value: null, interval: null, rows: 0 });
    expect(measured(accuracy, scoresOf([1]))).toEqual({ value: 1, interval: null, rows: 1 });
    expect(measured(accuracy, scoresOf([1, 0]))).toMatchObject({ value: 0.5, interval: null });
    expect(measured(accuracy, scoresOf([1, 1, 1]))).toMatchObject({ value: 1, interval: null });
    const { interval } = measured(accuracy, scoresOf([1, 0, 1, 0, 1, 1, 1, 0]));
    expect(interval![0]).toBeLessThan(5 / 8);
    expect(interval![1]).toBeGreaterThan(5 / 8);
  });
});

describe('compareSystems', () => {
  it('compares the rows that both systems answered', () => {
    const a = { name: 'a', scores: scoresOf([1, 1, 1, 0]) };
    const b = { name: 'b', scores: new Map([...scoresOf([0, 1, 0, 0, 1]).entries()].slice(1)) };
    expect(compareSystems({ measure: accuracy, a, b })).toMatchObject({
      ...{ measure: 'accuracy', a: 'a', b: 'b', rows: 3 },
      difference: 1 / 3,
      // one of three rows differs: both assignments are as extreme
      p: 1,
    });
    expect(
      compareSystems({ measure: accuracy, a, b: { name: 'c', scores: new Map() } }),
    ).toBeNull();
  });
});

describe('verdicts', () => {
  const test = (measure: Measure, a: readonly number[], b: readonly number[]) =>
    compareSystems({
      measure,
      a: { name: 'tuned', scores: scoresOf(a) },
      b: { name: 'base', scores: scoresOf(b) },
    })!;
  const ones = Array.from({ length: 10 }, () => 1);
  const zeros = ones.map(() => 0);

  it('says in words which system is better, with a correction for several tests', () => {
    const tested = [test(accuracy, ones, zeros), test(loss, ones, zeros), test(loss, ones, ones)];
    const [first, second, third] = verdicts(tested, [accuracy, loss]);
    expect(first).toMatchObject({ p: 2 / 1024, adjustedP: 6 / 1024, better: 'tuned' });
    expect(first!.sentence).toBe(
      'tuned is better beyond chance: accuracy of tuned minus base is 100.0 percentage points on 10 rows; p = 0.0059 after correction.',
    );
    expect(second).toMatchObject({ better: 'base' });
    expect(third).toMatchObject({ better: null, adjustedP: 1 });
    expect(third!.sentence).toMatch(/^tuned and base are equal: /);
  });

  it('claims nothing for a difference that chance can explain', () => {
    const [only] = verdicts([test(accuracy, [1, 1, 1, 0], [0, 0, 1, 0])], [accuracy]);
    expect(only).toMatchObject({ p: 0.5, adjustedP: 0.5, better: null });
    expect(only!.sentence).toMatch(
      /^tuned and base do not differ beyond chance: .* 50\.0 percentage points on 4 rows, 95 % interval 0\.0 to 100\.0; p = 0\.50\.$/,
    );
  });
});
