import { describe, expect, it } from 'vitest';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import * as rowModule from '../../../../tools/bench-generation/row.mjs';

const { buildRow, firstTokenMs, textTable } = rowModule;

const spec = {
  model: 'tiny',
  type: 'Q8_0',
  prompt: 100,
  tokens: 8,
  sequences: 4,
  threads: 2,
  path: 'x.gguf',
};

/**
 * A round on a machine with this relative speed: generate() is faster with prompts, and an adapter takes 10 % more
 * time.
 */
function round(speed: number) {
  const plain = {
    prompt: 300 * speed,
    generation: 20 * speed,
    generationAlone: 40 * speed,
    generationTogether: 140 * speed,
    firstTokenMs: 500 / speed,
  };
  return {
    llamaBench: { prompt: 100 * speed, generation: 20 * speed, generationAlone: 50 * speed },
    plain,
    adapted: {
      prompt: plain.prompt * 0.9,
      generation: plain.generation * 0.9,
      generationAlone: plain.generationAlone * 0.9,
      generationTogether: plain.generationTogether * 0.9,
      firstTokenMs: plain.firstTokenMs / 0.9,
    },
  };
}

describe('a row of bench:generation', () => {
  it('has ratios that do not depend on the speed of the machine', () => {
    const row = buildRow(spec, [round(1), round(0.5), round(2)]);
    expect(row).toMatchObject({ model: 'tiny', prompt: 100, threads: 2, rounds: 3 });
    expect(row.tokensPerSecond.plain.prompt).toBe(300);
    expect(row.ratio.prompt).toBeCloseTo(3);
    expect(row.ratio.generation).toBeCloseTo(1);
    expect(row.ratio.generationAlone).toBeCloseTo(0.8);
    expect(row.ratio.firstToken).toBeCloseTo(1050 / 500);
    expect(row.together.tokensPerSecond).toEqual({ plain: 140, adapted: 126 });
    expect(row.together.ratio).toBeCloseTo(3.5);
    for (const ratio of Object.values(row.adapterRatio)) expect(ratio).toBeCloseTo(0.9);
    expect(row).not.toHaveProperty('path');
  });

  it('estimates the time to the first token of llama-bench from the prompt and one token', () => {
    expect(firstTokenMs(round(1).llamaBench, 100)).toBe(1000 + 50);
  });

  it('is printed with both ratios', () => {
    const lines = textTable(buildRow(spec, [round(1)])).split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[1]).toMatch(/^prompt of 100 .* 300\.0 tok\/s .* 3\.00 +0\.90$/);
    expect(lines[4]).toMatch(/^first token +1050\.0 ms +500\.0 ms +555\.6 ms +2\.10 +0\.90$/);
    expect(lines[5]).toBe(
      '4 sequences together: 140.0 tok/s, 3.50 times one; with adapter 126.0 tok/s',
    );
  });
});
