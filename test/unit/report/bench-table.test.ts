import { describe, expect, it } from 'vitest';
import { type BenchResult, summarize } from '../../../src/bench/result.js';
import { benchJson, benchMarkdown, benchRows } from '../../../src/report/bench-table.js';

const sample = (tokens: number, ms: number) => ({
  tokens,
  ms,
  tokensPerSecond: (tokens * 1000) / ms,
});

const result: BenchResult = {
  model: { path: 'base.gguf', description: 'llama 3M Q8_0', parameters: 3e6, bytes: 3.3e6 },
  system: { llamaCpp: 'b1', devices: ['CPU'], threads: 2 },
  prompt: summarize('prompt', [sample(512, 200), sample(512, 100), sample(512, 400)]),
  generation: summarize('generation', [sample(64, 1500), sample(64, 1000)]),
  training: null,
};

describe('benchRows', () => {
  it('has median, min and max of each measured series', () => {
    expect(benchRows(result)).toEqual([
      { name: 'prompt processing', median: 2560, min: 1280, max: 5120, repetitions: 3 },
      {
        name: 'generation',
        median: expect.closeTo((64 + 64 / 1.5) / 2, 9),
        min: expect.closeTo(64 / 1.5, 9),
        max: 64,
        repetitions: 2,
      },
    ]);
  });
});

describe('benchMarkdown', () => {
  it('writes a table with readable numbers', () => {
    expect(benchMarkdown(result)).toBe(
      [
        'Model: llama 3M Q8_0 (base.gguf)  ',
        'System: CPU; 2 threads; llama.cpp b1',
        '',
        '| tokens/s | median | min | max | repetitions |',
        '|---|---:|---:|---:|---:|',
        '| prompt processing | 2,560 | 1,280 | 5,120 | 3 |',
        '| generation | 53.3 | 42.7 | 64.0 | 2 |',
        '',
      ].join('\n'),
    );
  });
});

describe('benchJson', () => {
  it('keeps every raw sample', () => {
    expect(JSON.parse(benchJson(result))).toEqual(result);
  });
});
