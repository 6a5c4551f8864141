import { describe, expect, it } from 'vitest';
import { summarize } from '../../../src/bench/result.js';

const samples = (...rates: number[]) =>
  rates.map((tokensPerSecond) => ({ tokens: 10, ms: 10_000 / tokensPerSecond, tokensPerSecond }));

describe('summarize', () => {
  it('takes the middle one of an odd number of samples in any order', () => {
    expect(summarize('prompt', samples(30, 10, 20))).toMatchObject({
      median: 20,
      min: 10,
      max: 30,
    });
  });

  it('takes the mean of the two in the middle of an even number', () => {
    expect(summarize('prompt', samples(40, 10, 30, 20))).toMatchObject({
      median: 25,
      min: 10,
      max: 40,
    });
  });

  it('keeps the samples in the order they were taken', () => {
    const given = samples(30, 10, 20);
    expect(summarize('training', given)?.samples).toEqual(given);
  });

  it('is null without samples', () => {
    expect(summarize('generation', [])).toBeNull();
  });
});
