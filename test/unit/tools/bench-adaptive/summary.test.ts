import { describe, expect, it } from 'vitest';

type Run = {
  task: string;
  variant: string;
  seed: number;
  losses: (number | null)[];
  evaluations: { step: number; samples: number; loss: number | null }[];
  interventions: { kind: string }[];
  validationLoss: number | null;
};

const summary = await import(
  new URL('../../../../tools/bench-adaptive/summary.mjs', import.meta.url).href
);
const { chatRow } = await import(
  new URL('../../../../tools/bench-adaptive/tasks.mjs', import.meta.url).href
);
const { optionsOf } = await import(
  new URL('../../../../tools/bench-adaptive/variants.mjs', import.meta.url).href
);

const run = (variant: string, seed: number, validationLoss: number | null, more = {}): Run => ({
  ...{ task: 'demo', variant, seed, validationLoss, losses: [3, 2, 1], interventions: [] },
  evaluations: [
    { step: 10, samples: 80, loss: 2 },
    { step: 20, samples: 160, loss: validationLoss },
  ],
  ...more,
});

describe('the comparison of runs', () => {
  const runs = [1, 2, 3].flatMap((seed) => [
    run('static', seed, 1 + seed / 100),
    run('rescue', seed, 0.9 + seed / 100, { interventions: [{ kind: 'skip' }] }),
    run('static-10x', seed, null, { losses: [3, 3, 3, 9, null] }),
    run('rescue-10x', seed, 1.5),
  ]);

  it('pairs the seeds of a variant with those of its baseline', () => {
    const rows = summary.summarize(runs);
    expect(rows.map(({ variant }: { variant: string }) => variant)).toEqual([
      ...['static', 'rescue', 'static-10x', 'rescue-10x'],
    ]);
    const [plain, rescue, wild, calm] = rows;
    expect(plain).toMatchObject({
      seeds: 3,
      comparison: null,
      reached: 3,
      steps: 20,
      samples: 160,
    });
    expect(plain.target).toBeCloseTo(1.02 * 1.02, 12);
    expect(rescue.comparison.difference).toBeCloseTo(-0.1, 12);
    expect(rescue.comparison.p).toBe(0.25); // 2 of the 2^3 assignments are as extreme
    expect(rescue.interventions.skip).toBeCloseTo(1, 12);
    expect(wild).toMatchObject({
      validationLoss: Number.POSITIVE_INFINITY,
      interval: null,
      reached: 0,
    });
    expect(calm.comparison).toBe(null);
  });

  it('counts spikes of the loss, and losses that are not finite', () => {
    expect(summary.spikesOf([3, 3, 3, 3, 9, 3])).toBe(1);
    expect(summary.spikesOf([3, 2.9, 2.8, Number.NaN])).toBe(1);
    expect(summary.spikesOf([9, 5, 3, 2, 1.5])).toBe(0);
  });

  it('shows a diverged variant in its table', () => {
    const lines = summary.markdown(runs).split('\n');
    expect(lines).toHaveLength(2 + 4);
    expect(lines[4]).toContain('| ∞ | – | 0 of 3 | – | – | 2.0 | – |');
  });
});

it('makes conversations of question and answer texts, and keeps other rows', () => {
  expect(chatRow({ text: 'Q: Why?\nA: Because.\nReally.' })).toEqual({
    messages: [
      { role: 'user', content: 'Why?' },
      { role: 'assistant', content: 'Because.\nReally.' },
    ],
  });
  expect(chatRow({ prompt: 'x' })).toEqual({ prompt: 'x' });
});

it('a variant changes the rate and the adaptive options only', () => {
  const task = { options: { optimizer: { learningRate: 1e-3 }, batchSize: 4 } };
  expect(optionsOf(task, 'static', 3)).toEqual({
    ...task.options,
    seed: 3,
    modelCard: false,
    runLog: false,
  });
  expect(optionsOf(task, 'rescue-10x', 3)).toMatchObject({
    ...{ adaptive: {}, optimizer: { learningRate: 1e-2 } },
  });
});
