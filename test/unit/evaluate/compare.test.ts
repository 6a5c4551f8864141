import { describe, expect, it } from 'vitest';
import { compareSystems, measured, verdicts } from '../../../src/evaluate/compare.js';
import { valueOver } from '../../../src/evaluate/sums.js';
import { type Measure, meanOf, ratioOf, type TaskScore } from '../../../src/evaluate/task.js';
import { seededRandom } from '../../../src/random.js';
import { pairedTest } from '../../../src/statistics.js';

const accuracy: Measure = {
  ...{ name: 'accuracy', title: 'accuracy', isPercent: true, higherIsBetter: true },
  ...meanOf(),
};
const loss: Measure = { ...accuracy, name: 'loss', isPercent: false, higherIsBetter: false };
const scoresOf = (values: readonly number[]): Map<number, TaskScore> =>
  new Map(values.map((value, index) => [index, { value }]));

const { signal } = new AbortController();

describe('measured', () => {
  const of = (values: readonly number[]) => measured(accuracy, scoresOf(values), signal);

  it('has an interval for 3 rows or more that are not all equal', async () => {
    expect(await of([])).toEqual({ value: null, interval: null, rows: 0 });
    expect(await of([1])).toEqual({ value: 1, interval: null, rows: 1 });
    expect(await of([1, 0])).toMatchObject({ value: 0.5, interval: null });
    expect(await of([1, 1, 1])).toMatchObject({ value: 1, interval: null });
    const { interval } = await of([1, 0, 1, 0, 1, 1, 1, 0]);
    expect(interval![0]).toBeLessThan(5 / 8);
    expect(interval![1]).toBeGreaterThan(5 / 8);
  });
});

describe('compareSystems', () => {
  it('compares the rows that both systems answered', async () => {
    const a = { name: 'a', scores: scoresOf([1, 1, 1, 0]) };
    const b = { name: 'b', scores: new Map([...scoresOf([0, 1, 0, 0, 1]).entries()].slice(1)) };
    expect(await compareSystems({ measure: accuracy, a, b }, signal)).toMatchObject({
      ...{ measure: 'accuracy', a: 'a', b: 'b', rows: 3 },
      difference: 1 / 3,
      // one of three rows differs: both assignments are as extreme
      p: 1,
    });
    const empty = { name: 'c', scores: new Map() };
    expect(await compareSystems({ measure: accuracy, a, b: empty }, signal)).toBeNull();
  });

  it('gives what pairedTest() gives, for means and for ratios', async () => {
    const random = seededRandom(3);
    const rows = (add: number) => Array.from({ length: 10 }, () => ({ value: random() + add }));
    const [a, b] = [rows(0.2), rows(0)];
    const system = (name: string, scores: TaskScore[]) => ({
      name,
      scores: new Map(scores.entries()),
    });
    const ratio = {
      ...accuracy,
      ...ratioOf(
        ({ value }) => value,
        ({ value }) => value ** 2,
      ),
    };
    for (const measure of [accuracy, ratio]) {
      const pairing = { measure, a: system('a', a), b: system('b', b) };
      const found = await compareSystems(pairing, signal);
      const statistic = (scores: TaskScore[]) => valueOver(measure, scores);
      // ten pairs: all assignments are tried
      const { difference, p } = pairedTest(a, b, { statistic });
      expect(found!.difference).toBeCloseTo(difference, 12);
      expect(found!.p).toBe(p);
      expect(found!.interval![0]).toBeLessThan(difference);
      expect(found!.interval![1]).toBeGreaterThan(difference);
    }
  });

  it('ends when it is aborted', async () => {
    const a = { name: 'a', scores: scoresOf(Array.from({ length: 100 }, (_, i) => i % 2)) };
    const b = { name: 'b', scores: scoresOf(Array.from({ length: 100 }, (_, i) => i % 3)) };
    const controller = new AbortController();
    const running = compareSystems({ measure: accuracy, a, b }, controller.signal);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('verdicts', () => {
  const test = async (measure: Measure, a: readonly number[], b: readonly number[]) =>
    compareSystems(
      {
        measure,
        a: { name: 'tuned', scores: scoresOf(a) },
        b: { name: 'base', scores: scoresOf(b) },
      },
      signal,
    );
  const ones = Array.from({ length: 10 }, () => 1);
  const zeros = ones.map(() => 0);

  it('says in words which system is better, with a correction for several tests', async () => {
    const tested = [
      (await test(accuracy, ones, zeros))!,
      (await test(loss, ones, zeros))!,
      (await test(loss, ones, ones))!,
    ];
    const [first, second, third] = verdicts(tested, [accuracy, loss]);
    expect(first).toMatchObject({ p: 2 / 1024, adjustedP: 6 / 1024, better: 'tuned' });
    expect(first!.sentence).toBe(
      'tuned is better beyond chance: accuracy of tuned minus base is 100.0 percentage points on 10 rows; p = 0.0059 after correction.',
    );
    expect(second).toMatchObject({ better: 'base' });
    expect(third).toMatchObject({ better: null, adjustedP: 1 });
    expect(third!.sentence).toMatch(/^tuned and base are equal: /);
  });

  it('claims nothing for a difference that chance can explain', async () => {
    const [only] = verdicts([(await test(accuracy, [1, 1, 1, 0], [0, 0, 1, 0]))!], [accuracy]);
    expect(only).toMatchObject({ p: 0.5, adjustedP: 0.5, better: null });
    expect(only!.sentence).toMatch(
      /^tuned and base do not differ beyond chance: .* 50\.0 percentage points on 4 rows, 95 % interval 0\.0 to 100\.0; p = 0\.50\.$/,
    );
  });
});
