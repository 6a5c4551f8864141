import { expect, it } from 'vitest';
import { expertUse } from '../../src/expert-use.js';

it('expertUse() describes equal, one-sided and mixed use', () => {
  expect(expertUse({ counts: [5, 5, 5, 5] })).toEqual({
    leastUsed: 0.25,
    mostUsed: 0.25,
    standardDeviation: 0,
    entropy: 2,
    dead: 0,
  });
  expect(expertUse({ counts: [0, 7, 0, 0] })).toMatchObject({
    leastUsed: 0,
    mostUsed: 1,
    entropy: 0,
    dead: 3,
  });
  // shares 1/2, 1/4, 1/4, 0: 1/2 · 1 + 2 · 1/4 · 2 bits
  const mixed = expertUse({ counts: [4, 2, 2, 0] })!;
  expect(mixed.entropy).toBeCloseTo(1.5, 12);
  expect(mixed.standardDeviation).toBeCloseTo(Math.sqrt((0.25 ** 2 + 0.25 ** 2) / 4), 12);
});

it('expertUse() is null where no token was counted', () => {
  expect(expertUse({ counts: [0, 0] })).toBeNull();
});
