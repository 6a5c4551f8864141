import { describe, expect, it } from 'vitest';
import { sequenceSeed } from '../../../src/generate/seed.js';

describe('sequenceSeed', () => {
  it('is the option for the first sample of the first prompt', () => {
    for (const seed of [0, 42, Number.MAX_SAFE_INTEGER])
      expect(sequenceSeed(seed, 0, 0)).toBe(seed);
  });

  it('has fixed values, so that old results can be repeated', () => {
    expect([sequenceSeed(42, 0, 1), sequenceSeed(42, 1, 0), sequenceSeed(0, 1, 0)]).toEqual([
      6421550638679170, 5198287033821879, 2424110414043343,
    ]);
  });

  it('is an integer that differs between sequences and between neighbouring seeds', () => {
    const seeds = [41, 42, 43].flatMap((seed) =>
      Array.from({ length: 1000 }, (_, i) => sequenceSeed(seed, Math.floor(i / 8), i % 8)),
    );
    expect(new Set(seeds).size).toBe(3000);
    expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
  });
});
