import { describe, expect, it } from 'vitest';
import { splitSamples } from '../../../src/data/split.js';
import { seededRandom } from '../../../src/random.js';

describe('splitSamples', () => {
  it('holds out the given fraction, but never no sample and never all', () => {
    for (let count = 2; count < 60; count++) {
      for (const part of [0.001, 0.1, 0.5, 0.9, 0.999]) {
        const held = splitSamples(count, part, 1).reduce((a, b) => a + b, 0);
        expect(held).toBe(Math.min(Math.max(Math.round(count * part), 1), count - 1));
      }
    }
  });

  it('chooses every sample with the same probability', () => {
    const times = new Array<number>(20).fill(0);
    for (let seed = 0; seed < 2000; seed++) {
      splitSamples(20, 0.25, seed).forEach((held, i) => {
        times[i]! += held;
      });
    }
    // 2000 draws of 1/4: 500 expected, standard deviation 19.
    for (const count of times) expect(Math.abs(count - 500)).toBeLessThan(100);
  });
});

describe('seededRandom', () => {
  it('is uniform, repeatable, and uses seeds beyond 32 bits', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 4000 }, () => random());
    };
    const numbers = draw(42);
    const mean = numbers.reduce((a, b) => a + b) / numbers.length;
    expect(mean).toBeGreaterThan(0.48);
    expect(mean).toBeLessThan(0.52);
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(draw(42)).toEqual(numbers);
    expect(draw(42 + 2 ** 32)).not.toEqual(numbers);
  });
});
