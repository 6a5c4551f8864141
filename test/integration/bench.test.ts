import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BenchEvent, bench } from '../../src/index.js';
import { tinyModel } from './tiny-model.js';

let model: string;
// A separate folder for temporary files, to find files that are left behind.
const temporary = mkdtempSync(join(tmpdir(), 'bench-test-'));
beforeAll(async () => {
  for (const name of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(name, temporary);
  model = await tinyModel();
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(temporary, { recursive: true, force: true });
});

const small = { promptTokens: 32, generatedTokens: 4, warmup: 1, repetitions: 3, threads: 1 };

describe('bench', () => {
  it('measures prompt processing, generation and training, and returns the samples', async () => {
    const training = { steps: 2, sequenceLength: 16, microBatchSize: 2 };
    const run = bench({ model, ...small, training });
    const events: BenchEvent[] = [];
    for await (const event of run) events.push(event);
    const result = await run.result;
    const tokens = { prompt: 32, generation: 4, training: 2 * 2 * 16 };
    for (const kind of ['prompt', 'generation', 'training'] as const) {
      const series = result[kind]!;
      expect(series.samples.length).toBe(3);
      expect(series.min).toBeLessThanOrEqual(series.median);
      expect(series.median).toBeLessThanOrEqual(series.max);
      for (const sample of series.samples) {
        expect(sample.tokens).toBe(tokens[kind]);
        expect(sample.tokensPerSecond).toBeCloseTo((sample.tokens * 1000) / sample.ms, 6);
      }
      const seen = events.filter((event) => event.kind === kind);
      expect(seen.map(({ warmup, repetition }) => [warmup, repetition])).toEqual([
        [true, 1],
        [false, 1],
        [false, 2],
        [false, 3],
      ]);
    }
    expect(result.model).toMatchObject({ path: model });
    expect(result.system.threads).toBe(1);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('measures only what the options request', async () => {
    const result = await bench({ model, ...small, generatedTokens: 0, training: { steps: 0 } })
      .result;
    expect(result).toMatchObject({ generation: null, training: null });
    expect(result.prompt?.samples.length).toBe(3);
  });

  it('can be aborted', async () => {
    const run = bench({ model, ...small, repetitions: 100_000, training: { steps: 0 } });
    await run[Symbol.asyncIterator]().next();
    run.abort();
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('reports a missing model and invalid options', async () => {
    await expect(bench({ model: 'none.gguf' }).result).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    await expect(bench({ model, repetitions: 0 }).result).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
