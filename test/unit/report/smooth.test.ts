import { describe, expect, it } from 'vitest';
import { defaultSpan, smooth } from '../../../src/report/smooth.js';

describe('smooth', () => {
  it('does not change a straight line, including its ends', () => {
    const line = Array.from({ length: 20 }, (_, i) => 3 - 0.1 * i);
    const result = smooth(line, 5);
    for (const [i, value] of result.entries()) expect(value).toBeCloseTo(line[i]!, 10);
  });

  it('removes most of the noise without lag', () => {
    const noise = (i: number) => (i % 2 === 0 ? 0.3 : -0.3);
    const curve = (i: number) => 3 * Math.exp(-i / 40);
    const noisy = Array.from({ length: 200 }, (_, i) => curve(i) + noise(i));
    const result = smooth(noisy, 10);
    for (let i = 10; i < 190; i++) expect(Math.abs(result[i]! - curve(i))).toBeLessThan(0.06);
  });

  it('returns the values with a span of 0', () => {
    expect(smooth([1, 5, 2], 0)).toEqual([1, 5, 2]);
  });

  it('ignores values that are not finite', () => {
    const result = smooth([1, Number.NaN, 3], 1);
    expect(result[1]).toBeCloseTo(2, 10);
    expect(smooth([Number.NaN, Number.NaN], 1)).toEqual([null, null]);
    expect(smooth([], 3)).toEqual([]);
  });
});

describe('defaultSpan', () => {
  it('grows with the run up to a limit', () => {
    expect(defaultSpan(10)).toBe(2);
    expect(defaultSpan(300)).toBe(15);
    expect(defaultSpan(1_000_000)).toBe(100);
  });
});
