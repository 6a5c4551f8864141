import { describe, expect, it } from 'vitest';
import {
  divergenceOf,
  levelOf,
  lossLimit,
  lowestLevels,
  noiseOf,
  normLimit,
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

describe('a divergence', () => {
  /** What is known after a series, and then sees `last`. */
  const seen = (
    series: readonly (readonly [loss: number, norm: number])[],
    ...last: (readonly [loss: number, norm: number])[]
  ) => {
    const columns = (steps: typeof series) => ({
      losses: steps.map(([loss]) => loss),
      norms: steps.map(([, norm]) => norm),
    });
    let lowest: ReturnType<typeof lowestLevels> = { loss: null, logNorm: null };
    series.forEach((_, i) => {
      const { losses, norms } = columns(series.slice(0, i + 1));
      lowest = lowestLevels(lowest, losses, norms);
    });
    return { ...columns([...series, ...last]), lowest };
  };
  const rescue = { threshold: 6, rise: 0.25 };
  const flat = Array(8).fill([2, 1]) as [number, number][];
  const four = (loss: number, norm: number) => Array(4).fill([loss, norm]) as [number, number][];
  /** 6 deviations of the difference of two means, with the smallest noise. */
  const ofLoss = 6 * 0.1 * Math.SQRT1_2;
  const ofNorm = Math.exp(6 * 0.25 * Math.SQRT1_2);

  it('is a loss above its lowest level by a fraction, and by some deviations', () => {
    const found = divergenceOf(seen(flat, ...four(2.51, 1)), { ...rescue, threshold: 1 });
    expect(found?.loss.from).toBe(2);
    expect(found?.loss.to).toBeCloseTo(2.51);
    expect(divergenceOf(seen(flat, ...four(2.49, 1)), { ...rescue, threshold: 1 })).toBeUndefined();
    const above = (by: number) =>
      divergenceOf(seen(flat, ...four(2 + by, 1)), { ...rescue, rise: 0.1 });
    expect(above(1.01 * ofLoss)).toBeDefined();
    expect(above(0.99 * ofLoss)).toBeUndefined();
  });

  it('is also a smaller rise of the loss with a rise of the gradient norms', () => {
    const wide = { threshold: 12, rise: 0.25 };
    const found = divergenceOf(seen(flat, ...four(2.6, 1.01 * ofNorm ** 2)), wide);
    expect(found).toMatchObject({ loss: { from: 2 }, norm: { from: 1 } });
    expect(found?.norm?.to).toBeCloseTo(1.01 * ofNorm ** 2, 9);
    expect(divergenceOf(seen(flat, ...four(2.6, 0.99 * ofNorm ** 2)), wide)).toBeUndefined();
    expect(divergenceOf(seen(flat, ...four(2.4, 100)), wide)).toBeUndefined();
  });

  it('is compared with the noise from before the rise', () => {
    const noisy = [2.1, 1.9, 2.1, 1.9, 2.1, 1.9].map((loss) => [loss, 1] as const);
    const rising = [3, 8, 4, 9].map((loss) => [loss, 1] as const);
    expect(noiseOf([...noisy, ...rising].map(([loss]) => loss))).toBeGreaterThan(2);
    expect(divergenceOf(seen(noisy, ...rising), rescue)?.loss).toEqual({ from: 2, to: 6 });
  });

  it('needs some steps', () => {
    expect(divergenceOf(seen([], ...four(9, 9)), rescue)).toBeUndefined();
    expect(divergenceOf(seen(flat.slice(0, 3), [99, 99]), rescue)).toBeUndefined();
  });
});
