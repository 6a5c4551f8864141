import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { bench, type FinetuneOptions, finetuneLora, LlamatuneError } from '../../src/index.js';
import { temporaryFolder } from './tiny-model.js';

// Tiny models of llama.cpp's architectures, made by the native tests. They have no text vocabulary, only token ids.
function arch(name: string): string {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const path = join(root, '.cache/test/arch-models', name);
  if (!existsSync(path)) throw new Error(`${path} is missing: npm test -- native makes it`);
  return path;
}

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = (model: string): FinetuneOptions => ({
  model: arch(model),
  dataset: [3, 5, 7, 11].map((step) => ({
    tokens: Array.from({ length: 24 }, (_, i) => (i * step) % 100),
  })),
  output: join(folder, `${model}-adapter.gguf`),
  sequenceLength: 32,
  batchSize: 2,
  epochs: 20,
  optimizer: { learningRate: 3e-2 },
  threads: 1,
});

describe('other architectures, default options', () => {
  for (const model of ['mamba.gguf', 'gpt-oss-moe.gguf', 'deepseek2-moe.gguf', 'gpt2.gguf']) {
    it(`trains ${model}`, async () => {
      const losses: number[] = [];
      const run = finetuneLora(options(model));
      for await (const event of run) if (event.type === 'step') losses.push(Number(event.loss));
      const { output } = await run.result;
      expect(existsSync(output)).toBe(true);
      expect(losses.at(-1)).toBeLessThan(0.98 * Number(losses[0]));
    });
  }

  it('trains recurrent models on samples of a few tokens', async () => {
    for (const model of ['mamba.gguf', 'lfm2.gguf', 'falcon-h1.gguf']) {
      const { finalLoss, microBatchTokens } = await finetuneLora({
        ...options(model),
        dataset: [{ tokens: [5, 6] }],
        microBatchTokens: 2,
        epochs: 1,
      }).result;
      expect(finalLoss).toBeGreaterThan(0);
      expect(microBatchTokens).toBe(2);
    }
  });

  it('refuses packing for recurrent models, whose state would leak between samples', async () => {
    const error = await finetuneLora({ ...options('mamba.gguf'), packing: true }).result.catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(LlamatuneError);
    const { code, message, problems } = error as LlamatuneError;
    expect(code).toBe('PACKING_UNSUPPORTED');
    expect(message).toMatch(/mamba/);
    expect(problems).toMatchObject([{ path: 'packing' }]);
  });
});

// GPT-2 has a position table. A longer prompt indexes past its end, which a CPU kernel asserts on.
describe('an assertion that fails on a compute thread', () => {
  it('ends the run and not the process', async () => {
    for (const threads of [1, 2, 4]) {
      const prompt = (promptTokens: number) =>
        bench({
          model: arch('gpt2.gguf'),
          promptTokens,
          generatedTokens: 0,
          training: { steps: 0 },
          warmup: 0,
          repetitions: 1,
          threads,
        }).result;
      await expect(prompt(4000)).rejects.toMatchObject({ code: 'NATIVE_ASSERTION' });
      expect((await prompt(16)).prompt?.samples.length).toBe(1);
    }
  });
});
