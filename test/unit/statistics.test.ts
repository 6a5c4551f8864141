import { describe, expect, it } from 'vitest';
import { bootstrapInterval, ratioInterval, statisticsOf } from '../../src/statistics.js';

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
