import { describe, expect, it } from 'vitest';
import { planCheck, planComparisons, questionsOf } from '../../../src/judge/comparisons.js';
import { JudgePrompt } from '../../../src/judge/prompt.js';
import type { AnsweredRow } from '../../../src/judge/samples.js';

const row = (index: number, reference: string | null, outputs: object = {}): AnsweredRow => ({
  ...{ index, sample: 0, prompt: `question ${index}`, reference },
  outputs: new Map(Object.entries(outputs)),
});

describe('planComparisons', () => {
  const systems = ['x', 'y', 'z'];
  const rows = [row(0, null, { x: '1', y: '2', z: '3' })];
  const named = (baseline?: string) =>
    planComparisons({ systems, rows }, baseline).map(({ left, right }) => `${left}-${right}`);

  it('compares each with each, or each with the baseline', () => {
    expect(named()).toEqual(['x-y', 'x-z', 'y-z']);
    expect(named('y')).toEqual(['x-y', 'z-y']);
    expect(planComparisons({ systems, rows }, 'x')[1]!.pairs[0]).toMatchObject({
      left: '3',
      right: '1',
    });
  });

  it('leaves out pairs without an answer of both systems, and counts what is missing', () => {
    const some = [...rows, row(1, null, { x: null, y: '2', z: null })];
    const [xy, xz] = planComparisons({ systems, rows: some }, undefined);
    expect(xy!.pairs.map(({ index }) => index)).toEqual([0]);
    expect([xy!.missing, xz!.missing]).toEqual([
      { left: 1, right: 0 },
      { left: 1, right: 1 },
    ]);
    const nothing = { systems, rows: [row(0, null, { x: '1', y: null, z: null })] };
    expect(() => planComparisons(nothing, undefined)).toThrow('no row has answers of two systems');
  });

  it('refuses a baseline that is not a system', () => {
    expect(() => named('w')).toThrow(
      "baseline: expected one of the systems (x, y, z) but received 'w'",
    );
  });
});

describe('planCheck', () => {
  const rows = Array.from({ length: 30 }, (_, i) => row(i, i % 3 === 0 ? 'Yes' : `no ${i}`));
  const check = (options: object, given = rows) =>
    planCheck({ check: 'auto', checkPairs: 50, seed: 1, ...options }, { systems: [], rows: given });

  it('takes the reference of another row that differs', async () => {
    const plan = await check({});
    expect(plan).toMatchObject({ source: 'references' });
    expect(plan!.pairs.map(({ index }) => index)).toEqual(rows.map(({ index }) => index));
    for (const { index, left, right } of plan!.pairs) {
      expect(left).toBe(rows[index]!.reference);
      expect(right.toLowerCase()).not.toBe(left.toLowerCase());
    }
    expect(new Set(plan!.pairs.map(({ right }) => right)).size).toBeGreaterThan(10);
  });

  it('takes at most checkPairs, by the seed', async () => {
    const first = await check({ checkPairs: 5 });
    expect(first!.pairs).toHaveLength(5);
    expect(await check({ checkPairs: 5 })).toEqual(first);
    expect(await check({ checkPairs: 5, seed: 2 })).not.toEqual(first);
  });

  it('has no pairs without two different references', async () => {
    expect(await check({}, [row(0, null), row(1, 'Yes'), row(2, ' yes')])).toBeNull();
    expect(await check({ check: 'none' })).toBeNull();
  });

  it('takes the pairs that are given', async () => {
    const given = [{ prompt: 'Why?', better: 'good', worse: 'bad' }];
    expect(await check({ check: given })).toMatchObject({
      source: 'given',
      pairs: [{ prompt: 'Why?', reference: null, left: 'good', right: 'bad' }],
    });
    await expect(check({ check: [{ prompt: 'Why?', better: 'x', worse: 'x' }] })).rejects.toThrow(
      'check[0]: better and worse are the same text',
    );
    await expect(check({ check: [{ prompt: 'Why?', better: 'x' }] })).rejects.toMatchObject({
      code: 'SAMPLES_INVALID',
    });
  });
});

describe('questionsOf', () => {
  const pair = { index: 4, sample: 0, prompt: 'Why?', reference: null, left: 'L', right: 'R' };
  const prompt = (text: string) =>
    new JudgePrompt({ prompt: text, rubric: undefined, explain: false });

  it('asks in both orders', () => {
    expect(questionsOf(0, [pair], prompt('{answerA}{answerB}'))).toEqual([
      { comparison: 0, pair: 0, swapped: false, text: 'LR' },
      { comparison: 0, pair: 0, swapped: true, text: 'RL' },
    ]);
  });

  it('does not ask about identical answers', () => {
    const same = { ...pair, right: 'L' };
    const questions = questionsOf(0, [same, pair], prompt('{answerA}{answerB}'));
    expect(questions.map((question) => question.pair)).toEqual([1, 1]);
  });

  it('needs a reference that the prompt shows', () => {
    expect(() => questionsOf(0, [pair], prompt('{answerA}{answerB}{reference}'))).toThrow(
      'row 4 has no reference',
    );
  });
});
