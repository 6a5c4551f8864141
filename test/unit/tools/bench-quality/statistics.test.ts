import { describe, expect, it } from 'vitest';
// @ts-expect-error: a script in plain JavaScript
import * as report from '../../../../tools/bench-quality/report.mjs';
// @ts-expect-error: a script in plain JavaScript
import * as statistics from '../../../../tools/bench-quality/statistics.mjs';

interface Row {
  index: number;
  correct: number;
  jaccard: number;
  cosine: number | null;
  loss: number;
  targets: number;
}
type Measures = Record<string, { value: number; interval: [number, number] } | null>;
type Differences = Record<string, { difference: number; p: number } | null>;
const { rowsOverSeeds, measured, compared } = statistics as {
  rowsOverSeeds: (evaluations: Row[][]) => object[];
  measured: (evaluations: Row[][]) => Measures;
  compared: (a: Row[][], b: Row[][]) => Differences;
};
const { markdown } = report as { markdown: (results: object) => string };

const row = (index: number, correct: number, loss = 10): Row => ({
  ...{ index, correct, loss, jaccard: correct / 2, cosine: 0.5, targets: 5 + index },
});
const rows = (correct: number[], loss = 10) => correct.map((each, i) => row(i, each, loss));

describe('the statistics of the quality benchmark', () => {
  it('have one value per row, the mean over the seeds', () => {
    const [first] = rowsOverSeeds([rows([1, 0], 8), rows([0, 0], 12)]);
    expect(first).toEqual({ accuracy: 0.5, jaccard: 0.25, cosine: 0.5, loss: 10, targets: 5 });
  });

  it('refuse evaluations of different rows', () => {
    expect(() => rowsOverSeeds([[row(0, 1)], [row(1, 1)]])).toThrow('the rows differ');
  });

  it('do not get narrower intervals from more seeds', () => {
    const one = rows([1, 0, 1, 0, 1, 1, 0, 0, 1, 0]);
    const [once, thrice] = [measured([one]), measured([one, one, one])];
    expect(once.accuracy!.value).toBe(0.5);
    expect(thrice.accuracy).toEqual(once.accuracy);
    expect(once.accuracy!.interval[0]).toBeLessThan(0.4);
  });

  it('weigh the loss by target tokens', () => {
    const { loss } = measured([[row(0, 1, 10), row(1, 1, 30)]]);
    expect(loss!.value).toBeCloseTo(40 / 11);
  });

  it('have no cosine without an embedding model', () => {
    const without = rows([1, 0, 1]).map((each) => ({ ...each, cosine: null }));
    expect(measured([without]).cosine).toBeNull();
    expect(compared([without], [rows([1, 0, 1])]).cosine).toBeNull();
  });

  it('compare the same rows', () => {
    const better = rows(Array(12).fill(1), 9);
    const worse = rows(Array(12).fill(0), 10);
    const { accuracy, loss } = compared([better], [worse]);
    expect(accuracy!.difference).toBe(1);
    expect(accuracy!.p).toBeLessThan(0.01);
    expect(loss!.difference).toBeLessThan(0);
  });
});

describe('the report of the quality benchmark', () => {
  const settings = { epochs: 1, batchSize: 8, rank: 8, alpha: 16, learningRate: 5e-4 };
  const column = (trainer: string, seeds: number[], measures: Measures | null) => ({
    ...{ trainer, weights: 'Q8_0', seeds, measures },
    trainingSeconds: seeds.map((seed) => 100 * seed),
    peakMemoryBytes: seeds.map(() => 1.5e9),
    complete: seeds.length === 2,
  });
  const reportOf = (columns: object[]) =>
    markdown({
      ...{ date: '2026-01-02', settings, seeds: [1, 2] },
      models: [{ title: 'Model', columns, comparisons: [] }],
    });

  it('shows values with intervals', () => {
    const measures = measured([rows([1, 0, 1, 0])]);
    const text = reportOf([column('llamatune', [1, 2], measures)]);
    expect(text).toContain('| LoRA by llamatune, Q8_0 | 2 | 50.0 (');
    expect(text).toContain('| 200 | 1.50 |');
    expect(text).not.toContain('Incomplete');
  });

  it('says what is missing', () => {
    const text = reportOf([
      column('peft', [1], measured([rows([1, 0, 1])])),
      column('llamatune', [], null),
    ]);
    expect(text).toContain('**Incomplete**');
    expect(text).toContain('1 of 2');
    expect(text).toContain(
      '| LoRA by llamatune, Q8_0 | 0 of 2 | n/a | n/a | n/a | n/a | n/a | n/a |',
    );
  });
});
