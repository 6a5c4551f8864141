import { describe, expect, it } from 'vitest';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import * as optionsModule from '../../../../tools/bench-training/options.mjs';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import * as tableModule from '../../../../tools/bench-training/table.mjs';

const { parseOptions, UsageError } = optionsModule;
const { markdownReport, textTable } = tableModule;

interface Row {
  [key: string]: unknown;
}
const rowsOf = (...argv: string[]): Row[] => parseOptions(argv).rows;

describe('the command line of bench:training', () => {
  it('measures one row by default', () => {
    expect(parseOptions([])).toMatchObject({ json: false, save: false, help: false });
    expect(rowsOf()).toEqual([
      {
        model: 'qwen3-0.6b',
        type: 'Q8_0',
        sequence: 512,
        microBatch: 4,
        precision: 'bf16',
        gradientCheckpointing: 'auto',
        weightCache: 'auto',
        ragged: false,
        layout: 'padding-free',
        threads: 0,
        steps: 5,
        warmup: 1,
        profile: false,
        rank: 8,
        targets: 'all',
        seed: 1,
      },
    ]);
  });

  it('measures each combination of several values', () => {
    const rows = rowsOf('--type', 'q8_0,F16', '--sequence', '128', '--sequence', '512,4096');
    expect(rows.map(({ type, sequence, microBatch }) => [type, sequence, microBatch])).toEqual([
      ['Q8_0', 128, 16],
      ['Q8_0', 512, 4],
      ['Q8_0', 4096, 1],
      ['F16', 128, 16],
      ['F16', 512, 4],
      ['F16', 4096, 1],
    ]);
  });

  it('measures everything with --all, restricted by other options', () => {
    expect(rowsOf('--all')).toHaveLength(7 * 3 * 3 * 2);
    expect(rowsOf('--all').some(({ model }) => model === 'tiny')).toBe(false);
    const rows = rowsOf('--all', '--model', 'gemma3-1b', '--ragged');
    expect(rows).toHaveLength(3 * 3);
    expect(rows.every(({ ragged }) => ragged)).toBe(true);
  });

  it('reads numbers and choices', () => {
    const [row] = rowsOf('--micro-batch=1', '--threads=2', '--steps=9', '--warmup=0');
    expect(row).toMatchObject({ microBatch: 1, threads: 2, steps: 9, warmup: 0 });
    const values = rowsOf('--gradient-checkpointing', 'auto,on,off').map(
      ({ gradientCheckpointing }) => gradientCheckpointing,
    );
    expect(values).toEqual(['auto', 'on', 'off']);
    const caches = rowsOf('--weight-cache', 'on,off').map(({ weightCache }) => weightCache);
    expect(caches).toEqual(['on', 'off']);
  });

  it('measures a model file on real data', () => {
    const rows = rowsOf('--model-file', 'a/b.gguf', '--data', 'rows.jsonl', '--padded');
    expect(rows).toHaveLength(1);
    const real = { file: 'a/b.gguf', data: 'rows.jsonl', batchSize: 8, layout: 'padded' };
    expect(rows[0]).toMatchObject({ model: 'b', ...real, microBatch: 1 });
    const data = ['--model-file', 'a/b.gguf', '--data', 'rows.jsonl'];
    expect(rowsOf(...data)[0]).toMatchObject({ layout: 'padding-free', microBatch: null });
    expect(rowsOf(...data)[0]).toMatchObject({ type: '' });
    expect(rowsOf('--model-file', 'smollm2-135m', '--data', 'rows.jsonl')[0]).toMatchObject({
      model: 'smollm2-135m',
      type: 'Q4_1',
    });
    const sizes = rowsOf(...data, '--padded', '--micro-batch', '1,8');
    expect(sizes.map(({ microBatch }) => microBatch)).toEqual([1, 8]);
    expect(() => parseOptions(['--data', 'rows.jsonl'])).toThrow(/go together/);
    expect(() => parseOptions([...data, '--micro-batch', '8'])).toThrow(/needs --padded/);
  });

  it.each([
    [['--model', 'gpt5'], /qwen3-0\.6b or .* for --model but received 'gpt5'/],
    [['--precision', 'fp8'], /bf16 or f32/],
    [['--gradient-checkpointing', 'true'], /auto or on or off/],
    [['--sequence', '1'], /at least 2 for --sequence but received '1'/],
    [['--steps', '0'], /at least 1 for --steps/],
    [['--steps', '1.5'], /whole number/],
    [['--jason'], /jason/],
    [['stray'], /stray/],
  ])('%j is an error with the expected value', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(UsageError);
    expect(() => parseOptions(argv)).toThrow(message);
  });
});

describe('the tables', () => {
  const row = {
    ...rowsOf()[0],
    gradientCheckpointing: 'off',
    weightCache: 'on',
    tokensPerSecond: 512.4,
    minTokensPerSecond: 400,
    maxTokensPerSecond: 600,
    forwardMs: 1000,
    lossMs: 500,
    backwardMs: 2345,
    optimizerMs: null,
    startToFirstStepMs: 1500,
    peakMemoryBytes: 2.5e9,
    achievedGflops: 1230,
    peakGflops: 2460,
    peakPrecision: 'bf16',
    loadBefore: 0.25,
    fractionOfLimit: 0.5,
    fractionWithAttention: 0.75,
  };

  it('show the rows of real data that are padded', () => {
    const real = { ...row, data: 'rows.jsonl', batchSize: 8, microBatch: 1, layout: 'padded' };
    expect(textTable([real])).toContain('8 of rows.jsonl padded, 1 at a time');
  });

  it('show a row, and the error code of a failed row', () => {
    const failed = { ...rowsOf()[0], error: { code: 'INSUFFICIENT_MEMORY' } };
    const lines: string[] = textTable([row, failed]).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^qwen3-0\.6b +Q8_0 +4×512 +bf16 +off +on +512 +400–600 +1\.00 /);
    expect(lines[1]).toMatch(/2\.35 +– +1\.50 +2\.50 +1230 +2460 bf16 +0\.3 +0\.500 +0\.750$/);
    expect(lines[2]).toMatch(/INSUFFICIENT_MEMORY$/);
  });

  it('are written as Markdown, below the machine', () => {
    const machine = {
      cpu: 'A CPU',
      cores: 2,
      flags: ['avx2', 'amx_tile'],
      memoryBytes: 16e9,
      platform: 'linux-x64',
      os: 'Debian',
      node: '20.17.0',
      llamaCpp: '0.5.0',
      accelerator: null,
      llamatune: '0.1.0',
      commit: 'abc',
    };
    const text: string = markdownReport({ date: '2026-01-02', machine, rows: [row] });
    expect(text).toContain('| CPU | A CPU, 2 cores |');
    expect(text).toContain("| matrix products | ggml's own |");
    expect(text).toMatch(/\| qwen3-0\.6b \| Q8_0 \| 4×512 \| bf16 \| off \| on \| 512 \|/);
  });
});
