import { describe, expect, it } from 'vitest';
import { changeOf, metricsOf, passAtK } from '../../../src/raft/metrics.js';
import { failed, passed } from '../../../src/verify/verifier.js';
import { answersTo, sampleOf } from './samples.js';

/** pass@k by its definition: the share of all choices of k answers in which at least one passed. */
function passAtKByChoices(n: number, c: number, k: number): number {
  let [all, some] = [0, 0];
  for (let chosen = 0; chosen < 2 ** n; chosen++) {
    const answers = Array.from({ length: n }, (_, i) => i).filter((i) => (chosen >> i) & 1);
    if (answers.length !== k) continue;
    all++;
    if (answers.some((i) => i < c)) some++;
  }
  return some / all;
}

describe('passAtK', () => {
  it('is the share of the choices of k answers with at least one that passed', () => {
    for (let n = 1; n <= 7; n++)
      for (let c = 0; c <= n; c++)
        for (let k = 1; k <= n; k++)
          expect(passAtK(n, c, k), `${n} ${c} ${k}`).toBeCloseTo(passAtKByChoices(n, c, k), 12);
  });

  it('does not overflow for many answers', () => {
    expect(passAtK(10_000, 1, 100)).toBeCloseTo(0.01, 10);
  });

  it('is unbiased: its mean over the possible numbers of passing answers is 1 - (1 - p)^k', () => {
    const [n, k, p] = [8, 3, 0.3];
    const choose = (c: number): number => (c === 0 ? 1 : (choose(c - 1) * (n - c + 1)) / c);
    let mean = 0;
    for (let c = 0; c <= n; c++) mean += choose(c) * p ** c * (1 - p) ** (n - c) * passAtK(n, c, k);
    expect(mean).toBeCloseTo(1 - (1 - p) ** k, 12);
  });
});

describe('metricsOf', () => {
  it('averages over prompts, with intervals over prompts', () => {
    const samples = [...answersTo(0, '++++'), ...answersTo(1, '+---'), ...answersTo(2, '----')];
    const { passAt, passed: count, prompts, compileRate } = metricsOf(samples, undefined);
    expect(passAt['1']!.value).toBeCloseTo((1 + 0.25 + 0) / 3, 12);
    expect(passAt['4']!.value).toBeCloseTo(2 / 3, 12);
    expect(passAt['1']!.interval![0]).toBeLessThan(passAt['1']!.value);
    expect({ count, prompts, compileRate }).toEqual({ count: 5, prompts: 3, compileRate: null });
    expect(Object.keys(metricsOf(samples, [2]).passAt)).toEqual(['1', '2']);
  });

  it('has no interval for fewer than three prompts', () => {
    const { passAt } = metricsOf([...answersTo(0, '+-'), ...answersTo(1, '++')], undefined);
    expect(passAt['1']).toEqual({ value: 0.75, interval: null });
  });

  it('counts compiled, cut off and unanswered', () => {
    const compiled = [true, true, false].map((each, index) =>
      sampleOf({ index, verdict: each ? passed('compare', true) : failed('compile', 'x', false) }),
    );
    const error = sampleOf({ index: 3, finishReason: 'error', verdict: failed('extract', 'long') });
    const cut = sampleOf({ index: 4, finishReason: 'length', verdict: failed('run', 'x', true) });
    const metrics = metricsOf([...compiled, error, cut], undefined);
    expect(metrics.compileRate!.value).toBeCloseTo(3 / 5, 12);
    expect(metrics).toMatchObject({ truncated: 1, failedPrompts: 1 });
  });
});

describe('changeOf', () => {
  const rows = (marks: readonly string[]) => marks.flatMap((mark, index) => answersTo(index, mark));
  const many = (mark: string) => rows(Array.from({ length: 12 }, () => mark));

  it('says whether a difference is beyond chance', () => {
    expect(changeOf(many('+---'), many('++++')).verdict).toBe('better');
    expect(changeOf(many('++++'), many('+---')).verdict).toBe('worse');
    const [before, after] = [rows(['+-', '-+', '++']), rows(['++', '-+', '+-'])];
    expect(changeOf(before, after).verdict).toBe('no difference');
  });

  it('gives the difference of the means, from base to final', () => {
    const { passAt1, compileRate } = changeOf(many('+---'), many('++--'));
    expect(passAt1.difference).toBeCloseTo(0.25, 12);
    expect(compileRate).toBeNull();
  });
});
