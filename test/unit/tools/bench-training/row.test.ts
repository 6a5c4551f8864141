import { describe, expect, it } from 'vitest';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import * as rowModule from '../../../../tools/bench-training/row.mjs';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import * as samplesModule from '../../../../tools/bench-training/samples.mjs';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import * as shapesModule from '../../../../tools/bench-training/shapes.mjs';

const { buildRow, median, mergeRows } = rowModule;
const { attentionFlopPerToken, flopPerToken, linearsOf, shapes, targetsOf } = shapesModule;
const { makeSamples, raggedLengths } = samplesModule;

describe('flopPerToken', () => {
  it('is 2.4 GFLOP for Qwen3-0.6B with rank 8 on every linear layer', () => {
    const flop = flopPerToken(shapes['qwen3-0.6b'], { rank: 8, targetShare: 1 });
    expect(flop / 1e9).toBeCloseTo(2.4, 1);
    // 28 blocks of 15,728,640 weights and an output of 1024 times 151,936; pairs on 22,528 inputs and outputs a block
    expect(flop).toBe(4 * 28 * 15_728_640 + 4 * 1024 * 151_936 + 6 * 8 * 28 * 22_528);
  });

  it('counts the output projection only for tokens with a loss', () => {
    const shape = shapes['llama3.2-1b'];
    const none = flopPerToken(shape, { rank: 8, targetShare: 0 });
    const half = flopPerToken(shape, { rank: 8, targetShare: 0.5 });
    const all = flopPerToken(shape, { rank: 8, targetShare: 1 });
    expect(all - none).toBe(4 * 2048 * 128_256);
    expect(half).toBe((none + all) / 2);
  });

  it('counts only the experts that a token uses', () => {
    const shape = shapes['qwen3moe-64x8'];
    const all = linearsOf(shape);
    expect(all).toHaveLength(4 + 3 * 8);
    const flop = flopPerToken({ ...shape, expertsPerToken: 9 }, { rank: 8, targetShare: 1 });
    expect(flop - flopPerToken(shape, { rank: 8, targetShare: 1 })).toBe(
      shape.layers * (4 * 3 * 1024 * 384 + 6 * 8 * 3 * (1024 + 384)),
    );
    expect(targetsOf(shape)).toContain('ffn_down_exps');
    expect(targetsOf(shapes.tiny)).toContain('ffn_down');
  });

  it('counts pairs of the attention layers alone', () => {
    const shape = shapes['qwen3moe-64x8'];
    expect(targetsOf(shape, 'attention')).toHaveLength(4);
    const bare = flopPerToken(shape, { rank: 0, targetShare: 1 });
    const flop = flopPerToken(shape, { rank: 8, targetShare: 1, targets: 'attention' });
    expect(flop - bare).toBe(shape.layers * 6 * 8 * (2 * (1024 + 1024) + 2 * (1024 + 256)));
  });

  it('counts six products of attention over half of the row', () => {
    expect(attentionFlopPerToken(shapes['qwen3-0.6b'], 4096)).toBe(6 * 28 * 16 * 128 * 4096);
    expect(attentionFlopPerToken(shapes['gemma3-1b'], 4096)).toBeNull();
  });

  it.each([
    ['qwen3-0.6b', 596e6],
    ['qwen3-1.7b', 1720e6],
    ['gemma3-1b', 1000e6],
    ['llama3.2-1b', 1236e6],
  ])('%s has as many parameters as the model it is named after', (name, parameters) => {
    const shape = shapes[name];
    const linears = linearsOf(shape).reduce((sum: number, [i, o]: number[]) => sum + i! * o!, 0);
    const total = shape.layers * linears + shape.vocabularySize * shape.embeddingLength;
    expect(Math.abs(total / parameters - 1)).toBeLessThan(0.01);
  });
});

describe('buildRow', () => {
  const spec = {
    model: 'tiny',
    type: 'Q8_0',
    sequence: 100,
    microBatch: 2,
    precision: 'bf16',
    ragged: true,
    layout: 'padded',
    rank: 8,
    warmup: 1,
  };
  const step = (stepMs: number, tokens = 150) => ({
    stepMs,
    tokens,
    targetTokens: tokens / 2,
    forwardMs: stepMs / 4,
    backwardMs: stepMs / 2,
    lossMs: stepMs / 8,
    optimizerMs: null,
    dataMs: 1,
  });
  const peak = (medianGflops: number) => ({
    medianGflops,
    threads: 2,
    precision: 'bf16',
    library: 'oneDNN 1',
  });
  const run = {
    steps: [step(9000), step(100), step(300), step(200)],
    peaks: [peak(1000), peak(2000)],
    peakMemoryBytes: 5e8,
    startToFirstStepMs: 123,
  };

  it('takes medians over the steps after the warm-up', () => {
    expect(buildRow(spec, run)).toMatchObject({
      model: 'tiny',
      sequence: 100,
      microBatch: 2,
      steps: 3,
      tokensPerSecond: 750,
      minTokensPerSecond: 500,
      maxTokensPerSecond: 1500,
      tokensPerStep: 150,
      filled: 0.75,
      stepMs: 200,
      forwardMs: 50,
      backwardMs: 100,
      lossMs: 25,
      optimizerMs: null,
      dataMs: 1,
      peakMemoryBytes: 5e8,
      startToFirstStepMs: 123,
      threads: 2,
      gradientCheckpointing: 'off',
      weightCache: 'off',
    });
  });

  it('compares with the higher of the peaks measured before and after', () => {
    const row = buildRow(spec, run);
    expect(row.flopPerToken).toBe(flopPerToken(shapes.tiny, { rank: 8, targetShare: 0.5 }));
    expect(row.achievedGflops).toBeCloseTo((750 * row.flopPerToken) / 1e9, 9);
    expect(row).toMatchObject({ peakGflops: 2000, peakGflopsBefore: 1000, peakGflopsAfter: 2000 });
    expect(row.fractionOfLimit).toBeCloseTo(row.achievedGflops / 2000, 12);
  });

  it('has no floating-point operations for the file of a user, and names the data without its folder', () => {
    const real = {
      ...spec,
      model: 'tiny',
      file: 'a/tiny.gguf',
      data: 'a/rows.jsonl',
      batchSize: 8,
    };
    const none = { flopPerToken: null, achievedGflops: null, fractionOfLimit: null, filled: null };
    expect(buildRow(real, run)).toMatchObject({
      ...none,
      data: 'rows.jsonl',
      tokensPerSecond: 750,
    });
    const named = buildRow({ ...real, file: 'tiny' }, run);
    expect(named.flopPerToken).toBe(flopPerToken(shapes.tiny, { rank: 8, targetShare: 0.5 }));
  });

  it('refuses a run with warm-up steps only', () => {
    expect(() => buildRow({ ...spec, warmup: 4 }, run)).toThrow(/more than 4 warm-up steps/);
  });

  it('keeps only the newest of equal rows', () => {
    const [one, other] = [buildRow(spec, run), buildRow({ ...spec, sequence: 64 }, run)];
    const again = { ...one, tokensPerSecond: 1 };
    expect(mergeRows([one, other], [again])).toEqual([again, other]);
    const withoutAmx = { ...one, environment: { DNNL_MAX_CPU_ISA: 'AVX512_CORE' } };
    expect(mergeRows([one], [withoutAmx])).toEqual([one, withoutAmx]);
  });
});

describe('median', () => {
  it('is the middle, the mean of two, or null', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBe(null);
  });
});

describe('samples', () => {
  const options = { count: 400, sequence: 512, vocabularySize: 1000, seed: 3 };

  it('are full or ragged rows, the same for the same seed', () => {
    const full: { tokens: Int32Array }[] = makeSamples({ ...options, ragged: false });
    expect(new Set(full.map(({ tokens }) => tokens.length))).toEqual(new Set([512]));
    const lengths: number[] = raggedLengths(400, 512, 3);
    expect(lengths).toEqual(raggedLengths(400, 512, 3));
    expect(lengths).not.toEqual(raggedLengths(400, 512, 4));
    expect(Math.max(...lengths)).toBe(512);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(8);
    expect(median(lengths)).toBeGreaterThan(0.25 * 512);
    expect(median(lengths)).toBeLessThan(0.35 * 512);
  });

  it('have a loss on answers only if they are ragged', () => {
    type Sample = { tokens: Int32Array; mask: Uint8Array };
    const ragged: Sample[] = makeSamples({ ...options, ragged: true });
    for (const { tokens, mask } of ragged) {
      expect(mask.length).toBe(tokens.length);
      expect(mask.at(-1)).toBe(1);
      expect(mask[0]).toBe(0);
      expect(tokens.every((token) => token >= 0 && token < 1000)).toBe(true);
    }
  });
});
