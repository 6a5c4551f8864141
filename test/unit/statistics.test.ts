import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import {
  bootstrapInterval,
  holm,
  pairedTest,
  ratioInterval,
  statisticsOf,
} from '../../src/statistics.js';

describe('statisticsOf', () => {
  it('computes median, mean, range and spread', () => {
    expect(statisticsOf([4, 1, 2])).toMatchObject({ median: 2, min: 1, max: 4, mean: 7 / 3 });
    expect(statisticsOf([1, 2, 3, 4])).toMatchObject({ median: 2.5, spread: 3 / 2.5 });
  });

  it('has no interval for fewer than three samples', () => {
    expect(statisticsOf([1, 2]).interval).toBeNull();
    expect(statisticsOf([1, 2, 3]).interval).not.toBeNull();
  });

  it('has no spread around a mean of zero', () => {
    expect(statisticsOf([-1, 1]).spread).toBeNull();
  });

  it('refuses no samples', () => {
    expect(() => statisticsOf([])).toThrow(RangeError);
  });
});

describe('bootstrapInterval', () => {
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  /** Standard normal numbers by their quantiles, so that mean and deviation are known. */
  const samples = Array.from({ length: 100 }, (_, i) => 10 + Math.sin(i * 12.9898) * Math.SQRT2);

  it('is as wide as the standard error says', () => {
    const [low, high] = bootstrapInterval(samples, mean);
    const center = mean(samples);
    const deviation = Math.sqrt(mean(samples.map((value) => (value - center) ** 2)));
    const expected = 2 * 1.96 * (deviation / Math.sqrt(samples.length));
    expect((high - low) / expected).toBeGreaterThan(0.9);
    expect((high - low) / expected).toBeLessThan(1.1);
    expect(low).toBeLessThan(center);
    expect(high).toBeGreaterThan(center);
  });

  it('is the same for the same samples', () => {
    expect(bootstrapInterval(samples, mean)).toEqual(bootstrapInterval(samples, mean));
    expect(bootstrapInterval(samples, mean, { seed: 1 })).not.toEqual(
      bootstrapInterval(samples, mean, { seed: 2 }),
    );
  });

  it('draws whole rows', () => {
    const rows = samples.map((value) => ({ value, weight: 2 }));
    const interval = bootstrapInterval(rows, (drawn) => mean(drawn.map(({ value }) => value)));
    expect(interval).toEqual(bootstrapInterval(samples, mean));
  });

  it('contains the true mean of 50 coin flips in about 95 of 100 samples', () => {
    const random = seededRandom(7);
    let covered = 0;
    for (let trial = 0; trial < 300; trial++) {
      const flips = Array.from({ length: 50 }, () => (random() < 0.7 ? 1 : 0));
      const [low, high] = bootstrapInterval(flips, mean, { seed: trial });
      if (low <= 0.7 && 0.7 <= high) covered++;
    }
    expect(covered / 300).toBeGreaterThan(0.91);
    expect(covered / 300).toBeLessThan(0.98);
  });
});

describe('ratioInterval', () => {
  it('excludes 1 for clearly different samples and includes it for the same ones', () => {
    const slow = [9.8, 10, 10.1, 10.2];
    const [low, high] = ratioInterval(slow, [19.9, 20, 20.1, 20.4])!;
    expect(low).toBeGreaterThan(1.9);
    expect(high).toBeLessThan(2.1);
    const [lowest, highest] = ratioInterval(slow, [9.9, 10, 10.1, 10.3])!;
    expect(lowest).toBeLessThan(1);
    expect(highest).toBeGreaterThan(1);
  });

  it('is null for too few samples', () => {
    expect(ratioInterval([1, 2], [1, 2, 3])).toBeNull();
  });
});

describe('pairedTest', () => {
  it('gives the exact p value of few pairs', () => {
    // Five differences of one sign: only 2 of the 32 assignments of signs are as extreme.
    expect(pairedTest([1, 1, 1, 1, 1], [0, 0, 0, 0, 0])).toMatchObject({
      n: 5,
      difference: 1,
      p: 2 / 32,
    });
    // Differences 1, 2, 3, -4: their sum is 2. Of the 16 sums, -10 to 10, 14 are not 0.
    expect(pairedTest([1, 2, 3, 0], [0, 0, 0, 4])).toMatchObject({ difference: 0.5, p: 14 / 16 });
  });

  it('ignores equal pairs, as the sign test of two classifiers does', () => {
    // 6 rows where only the first is right, 1 where only the second is: McNemar's exact p is 2 · (7 + 1) / 2^7.
    const a = [...Array(40).fill(1), 1, 1, 1, 1, 1, 1, 0];
    const b = [...Array(40).fill(1), 0, 0, 0, 0, 0, 0, 1];
    expect(pairedTest(a, b).p).toBeCloseTo((2 * 8) / 128, 12);
  });

  it('gives p = 1 and an interval of width 0 for equal systems', () => {
    expect(pairedTest([1, 0, 1], [1, 0, 1])).toEqual({
      n: 3,
      difference: 0,
      interval: [0, 0],
      p: 1,
    });
    expect(pairedTest([0.3], [0.1])).toMatchObject({ n: 1, interval: null, p: 1 });
  });

  it('samples assignments for many pairs, with a p value that is never 0', () => {
    const a = Array.from({ length: 60 }, (_, i) => 1 + (i % 3));
    const b = a.map((value) => value - 0.5);
    expect(pairedTest(a, b).p).toBe(1 / 10_000);
    expect(pairedTest(a, b)).toEqual(pairedTest(a, b));
  });

  it('approximates the exact p value when it samples', () => {
    // 20 pairs differ: 15 for the first, 5 for the second. Exact two-sided binomial p: 0.0414.
    const a = Array.from({ length: 20 }, (_, i) => (i < 15 ? 1 : 0));
    const { p } = pairedTest(
      a,
      a.map((value) => 1 - value),
    );
    expect(p).toBeGreaterThan(0.034);
    expect(p).toBeLessThan(0.049);
  });

  it('rejects equal systems in about 5 of 100 trials', () => {
    const random = seededRandom(11);
    let rejected = 0;
    for (let trial = 0; trial < 400; trial++) {
      const a = Array.from({ length: 12 }, random);
      const b = Array.from({ length: 12 }, random);
      if (pairedTest(a, b).p < 0.05) rejected++;
    }
    expect(rejected / 400).toBeGreaterThan(0.02);
    expect(rejected / 400).toBeLessThan(0.08);
  });

  it('tests any statistic of rows', () => {
    const ratio = (rows: { hits: number; of: number }[]) =>
      rows.reduce((sum, { hits }) => sum + hits, 0) / rows.reduce((sum, { of }) => sum + of, 0);
    const a = Array.from({ length: 8 }, (_, i) => ({ hits: i + 1, of: 10 }));
    const b = a.map(({ of }) => ({ hits: 0, of }));
    const test = pairedTest(a, b, { statistic: ratio });
    expect(test.difference).toBeCloseTo(0.45, 12);
    expect(test.p).toBe(2 / 256);
    expect(test.interval![0]).toBeGreaterThan(0);
  });

  it('refuses values without partners', () => {
    expect(() => pairedTest([1], [1, 2])).toThrow(RangeError);
    expect(() => pairedTest([], [])).toThrow(RangeError);
  });
});

describe('holm', () => {
  it('multiplies the smallest p value by the number of tests, and so on, without decreasing', () => {
    expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
    expect(holm([0.5, 0.9])).toEqual([1, 1]);
    expect(holm([0.02])).toEqual([0.02]);
    expect(holm([])).toEqual([]);
  });
});
