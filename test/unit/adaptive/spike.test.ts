import { describe, expect, it } from 'vitest';
import {
  levelOf,
  lossLimit,
  noiseOf,
  normLimit,
  riseLimit,
  spikeLimit,
} from '../../../src/adaptive/spike.js';
import { seededRandom } from '../../../src/random.js';

describe('the limit of spikes', () => {
  it('measures the noise by the rises from value to value, so that a steep fall has none', () => {
    expect(noiseOf([3])).toBe(0);
    expect(noiseOf([9, 7, 4, 2])).toBe(0);
    expect(noiseOf([1, 2, 1, 2, 1])).toBeCloseTo(Math.sqrt(2 / 4), 12);
    const random = seededRandom(3);
    const uniform = Array.from({ length: 5000 }, random); // standard deviation 1 / sqrt(12)
    expect(noiseOf(uniform)).toBeCloseTo(1 / Math.sqrt(12), 2);
  });

  it('is some deviations above the mean of the last values', () => {
    expect(levelOf([1, 2, 3])).toBe(null);
    expect(levelOf([9, 1, 2, 3, 4])).toBe(2.5);
    const deviation = Math.sqrt(3 / 4); // of 9, 1, 2, 3, 4: three rises of 1 in four differences
    expect(spikeLimit([9, 1, 2, 3, 4], 3, 0)).toBeCloseTo(2.5 + 3 * deviation * 1.8, 12);
  });

  it('of a rise is a fraction of the lowest level, and some deviations of the difference of two means', () => {
    const flat = Array(32).fill(2);
    expect(riseLimit(flat, 2, { threshold: 6, rise: 0.5 })).toBe(3);
    expect(riseLimit(flat, 2, { threshold: 6, rise: 0.1 })).toBeCloseTo(
      2 + 6 * 0.1 * Math.SQRT1_2,
      12,
    );
  });

  it('is infinite without values, and wider with few', () => {
    expect(spikeLimit([], 6, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(lossLimit([], 6)).toBe(Number.POSITIVE_INFINITY);
    expect(normLimit([0, 0], 6)).toBe(Number.POSITIVE_INFINITY);
    const limits = [1, 2, 4, 32].map((n) => lossLimit(Array(n).fill(2), 6));
    // the deviation of equal losses is taken to be 5 % of their mean
    expect(limits[3]).toBeCloseTo(2 + 6 * 0.1 * (1 + 4 / 32), 12);
    expect(limits.toSorted((a, b) => b - a)).toEqual(limits);
  });

  it('of gradient norms is a factor', () => {
    const limit = normLimit([1, 2, 1, 2, 1, 2, 1, 2], 6);
    expect(normLimit([10, 20, 10, 20, 10, 20, 10, 20], 6)).toBeCloseTo(10 * limit, 9);
  });
});
