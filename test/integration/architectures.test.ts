import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type FinetuneOptions, finetuneLora, LlamatuneError } from '../../src/index.js';
import { temporaryFolder } from './tiny-model.js';

// Tiny models of llama.cpp's architectures, which the native tests make. They have token ids and no text.
const arch = (name: string) =>
  join(fileURLToPath(new URL('../../', import.meta.url)), '.cache/test/arch-models', name);

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
  microBatchSize: 2,
  epochs: 8,
  optimizer: { learningRate: 1e-2 },
  threads: 1,
});

describe('other architectures, default options', () => {
  for (const model of ['mamba.gguf', 'gpt-oss-moe.gguf', 'deepseek2-moe.gguf', 'gpt2.gguf']) {
    it.skipIf(!existsSync(arch(model)))(`trains ${model}`, async () => {
      const losses: number[] = [];
      const run = finetuneLora(options(model));
      for await (const event of run) if (event.type === 'step') losses.push(Number(event.loss));
      const { output } = await run.result;
      expect(existsSync(output)).toBe(true);
      expect(losses.at(-1)).toBeLessThan(0.8 * Number(losses[0]));
    });
  }

  it.skipIf(!existsSync(arch('mamba.gguf')))(
    'refuses packing where state would pass from sample to sample',
    async () => {
      const error = await finetuneLora({ ...options('mamba.gguf'), packing: true }).result.catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(LlamatuneError);
      const { code, message, problems } = error as LlamatuneError;
      expect(code).toBe('PACKING_UNSUPPORTED');
      expect(message).toMatch(/mamba/);
      expect(problems).toMatchObject([{ path: 'packing' }]);
    },
  );
});
