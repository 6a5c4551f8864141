import { describe, expect, it } from 'vitest';
import { ExpertHistory, mergedSpans } from '../../src/expert-history.js';

/** A history of a layer with two experts, whose first one is used once per step. */
function historyOf(steps: number): ExpertHistory {
  const history = new ExpertHistory();
  for (let step = 1; step <= steps; step++) history.add(step, [{ layer: 3, counts: [1, step] }]);
  return history;
}
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

describe('the history of experts', () => {
  it('has a span for each step of a short run', () => {
    expect(historyOf(2).spans()).toEqual([
      { firstStep: 1, lastStep: 1, layers: [{ layer: 3, counts: [1, 1] }] },
      { firstStep: 2, lastStep: 2, layers: [{ layer: 3, counts: [1, 2] }] },
    ]);
  });

  it.each([64, 65, 66, 128, 129, 1000])(
    'of %i steps has at most 64 spans, which lose nothing',
    (steps) => {
      const spans = historyOf(steps).spans();
      expect(spans.length).toBeLessThanOrEqual(64);
      expect(spans.length).toBeGreaterThan(steps < 65 ? 63 : 32);
      const sizes = spans.map(({ firstStep, lastStep }) => lastStep - firstStep + 1);
      expect(sum(sizes)).toBe(steps);
      expect(new Set(sizes.slice(0, -1)).size).toBe(1);
      for (const [i, { firstStep, layers }] of spans.entries()) {
        expect(firstStep).toBe(1 + sum(sizes.slice(0, i)));
        expect(layers[0]?.counts[0]).toBe(sizes[i]);
      }
      expect(sum(spans.map(({ layers }) => layers[0]!.counts[1]!))).toBe((steps * (steps + 1)) / 2);
    },
  );

  it('is empty when nothing was counted', () => {
    const history = new ExpertHistory();
    history.add(1, null);
    history.add(2, []);
    expect(history.spans()).toEqual([]);
    expect(mergedSpans([], 4)).toEqual([]);
  });

  it('can be merged to fewer spans', () => {
    const merged = mergedSpans(historyOf(10).spans(), 4);
    expect(merged.map(({ firstStep, lastStep }) => [firstStep, lastStep])).toEqual([
      ...[
        [1, 3],
        [4, 6],
        [7, 9],
        [10, 10],
      ],
    ]);
    expect(merged[1]?.layers[0]?.counts).toEqual([3, 15]);
  });
});
