import { describe, expect, it } from 'vitest';
import { describeLengths, LengthList } from '../../../src/inspect/lengths.js';

describe('describeLengths', () => {
  it('gives quantiles, and bins that hold every length once', () => {
    const lengths = Int32Array.from({ length: 1000 }, (_, i) => ((i * 7919) % 1000) + 1);
    const described = describeLengths(lengths)!;
    expect(described).toMatchObject({ shortest: 1, median: 500, mean: 500.5, p95: 950 });
    expect(described.longest).toBe(1000);
    const { histogram } = described;
    expect(histogram.reduce((sum, { samples }) => sum + samples, 0)).toBe(1000);
    for (const { from, to, samples } of histogram) {
      expect(samples).toBe(lengths.filter((length) => length >= from && length <= to).length);
    }
    expect(histogram.map(({ to }) => to).slice(0, 6)).toEqual([16, 24, 32, 48, 64, 96]);
  });

  it('starts and ends at bins that are not empty, and keeps empty ones between', () => {
    expect(describeLengths(Int32Array.of(33, 70))!.histogram).toEqual([
      { from: 33, to: 48, samples: 1 },
      { from: 49, to: 64, samples: 0 },
      { from: 65, to: 96, samples: 1 },
    ]);
    expect(describeLengths(new Int32Array())).toBeNull();
  });
});

describe('LengthList', () => {
  it('keeps what was pushed', () => {
    const list = new LengthList();
    for (let i = 0; i < 5000; i++) list.push(i);
    expect(list.count).toBe(5000);
    expect([...list.values]).toEqual(Array.from({ length: 5000 }, (_, i) => i));
  });
});
