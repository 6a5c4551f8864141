// Frozen weights that are kept in the layout of matrix products.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { finetuneSchema } from '../../src/config/finetune.js';
import { checkMemory } from '../../src/finetune/memory.js';
import { trainOptions } from '../../src/finetune/train-options.js';
import {
  createModel,
  estimateMemory,
  type FinetuneOptions,
  finetune,
  loadModel,
  systemInfo,
} from '../../src/index.js';
import { temporaryFolder, tinyModel, tinyOptions } from './tiny-model.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const wide = { embeddingLength: 128, initStd: 0.1, type: 'Q8_0' } as const;
const dense = () => tinyModel('tiny-wide-q8_0', { ...wide, feedForwardLength: 256 });

async function experts(): Promise<string> {
  const { feedForwardLength: _, ...options } = tinyOptions;
  const path = join(folder, 'experts.gguf');
  const shape = { experts: 4, expertsPerToken: 2, expertFeedForwardLength: 64 };
  await createModel({ ...options, ...wide, ...shape, architecture: 'qwen3moe', path });
  return path;
}

const sampleTokens = 64;
const rows = Array.from({ length: 16 }, (_, i) => ({
  tokens: Array.from({ length: sampleTokens }, (_, j) => 97 + ((i * 7 + j * (1 + (i % 5))) % 26)),
}));

let runs = 0;
const quick = (options: Partial<FinetuneOptions>): FinetuneOptions => ({
  model: '',
  dataset: rows,
  output: join(folder, `${runs++}.gguf`),
  loss: 'all',
  precision: 'bf16',
  sequenceLength: sampleTokens,
  batchSize: 4,
  epochs: 2,
  validation: { split: 0.2, everySteps: 2 },
  modelCard: false,
  threads: 1,
  ...options,
});

// only there do products read another layout than the model's
const fast = systemInfo().cpuAccelerator?.fastBf16 === true;

describe('weightCache', () => {
  it.each([
    ['a dense model', dense, {}],
    ['with gradient checkpointing', dense, { gradientCheckpointing: true }],
    ['with LoRA on one layer', dense, { lora: { targets: ['blk.1.attn_v.weight'] } }],
    ['experts', experts, { lora: { targets: ['attn_q', 'ffn_gate_exps', 'ffn_down_exps'] } }],
  ] as [string, () => Promise<string>, Partial<FinetuneOptions>][])(
    'changes no loss, and its memory is estimated: %s',
    async (_, path, options) => {
      await using model = await loadModel(await path());
      const run = (weightCache: boolean) =>
        finetune(quick({ model, ...options, weightCache })).result;
      const [off, on] = [await run(false), await run(true)];
      expect([...on.losses]).toEqual([...off.losses]);
      expect(on.finalValidationLoss).toBe(off.finalValidationLoss);
      expect(off.losses[7]).not.toBe(off.losses[0]);
      expect([off.weightCache, off.weightCacheBytes]).toEqual([false, 0]);
      expect([on.weightCache, on.weightCacheBytes > 0]).toEqual([fast, fast]);
      const { weightCacheBytes } = await estimateMemory(
        quick({ model, ...options, weightCache: true }),
      );
      expect(on.weightCacheBytes).toBe(weightCacheBytes);
    },
  );

  it('keeps no experts, of which a step may use few', async () => {
    await using model = await loadModel(await experts());
    const { tensors } = model.info;
    const bytesOf = (kept: (name: string) => boolean) =>
      tensors
        .filter(({ name, type }) => type === 'Q8_0' && kept(name))
        .reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b), 0);
    const all = bytesOf((name) => !name.startsWith('token_embd'));
    const without = bytesOf((name) => !name.startsWith('token_embd') && !name.includes('_exps'));
    const { weightCacheBytes } = await estimateMemory(quick({ model, weightCache: true }));
    expect(weightCacheBytes).toBeGreaterThan(fast ? 0.5 * without : -1);
    expect(weightCacheBytes).toBeLessThan(1.5 * without);
    expect(1.5 * without).toBeLessThan(all);
  });

  it('runs of one model have separate caches', async () => {
    await using model = await loadModel(await dense());
    const run = (seed: number) => finetune(quick({ model, seed, weightCache: true })).result;
    const alone = [await run(1), await run(2)];
    const together = await Promise.all([run(1), run(2)]);
    expect(together.map(({ losses }) => [...losses])).toEqual(
      alone.map(({ losses }) => [...losses]),
    );
    expect(together.map((result) => result.weightCacheBytes)).toEqual(
      alone.map((result) => result.weightCacheBytes),
    );
    expect(alone[0]!.losses).not.toEqual(alone[1]!.losses);
  });

  it('is freed when a run is aborted', async () => {
    const path = await tinyModel('tiny-50m-q8_0', {
      ...wide,
      embeddingLength: 1024,
      feedForwardLength: 4096,
      heads: 8,
      layers: 3,
    });
    await using model = await loadModel(path);
    const { weightCacheBytes } = await estimateMemory(quick({ model, weightCache: true }));
    expect(weightCacheBytes > 150e6).toBe(fast);
    if (!fast) return;
    const start = async (weightCache: boolean) => {
      const before = process.memoryUsage.rss();
      const run = finetune(quick({ model, weightCache }));
      let during = 0;
      const follow = async () => {
        for await (const { type } of run) {
          if (type !== 'step' || during > 0) continue;
          during = process.memoryUsage.rss() - before;
          run.abort();
        }
      };
      await expect(follow()).rejects.toMatchObject({ code: 'ABORTED' });
      return { during, after: process.memoryUsage.rss() - before };
    };
    await start(false); // everything that stays
    const { during, after } = await start(true);
    expect(during).toBeGreaterThan(weightCacheBytes);
    expect(after).toBeLessThan(0.3 * weightCacheBytes);
  });

  it("'auto' keeps weights if the run then needs at most half of the available memory", async () => {
    await using model = await loadModel(await dense());
    const { output, dataset, ...given } = quick({ model });
    const fixed = { gradientCheckpointing: false, microBatchTokens: 256 };
    const config = finetuneSchema.parse({ ...given, ...fixed, output, dataset });
    const options = trainOptions(config, model, undefined);
    const plan = { longestSample: 64, largestStep: 256, largestMicroBatch: 256 };
    const choice = (bytes: number, weightCache: FinetuneOptions['weightCache'] = 'auto') =>
      checkMemory(model, { ...config, weightCache } as typeof config, options, plan, bytes);
    const off = await choice(1e12, false);
    expect(off.weightCache).toBe(false);
    const ample = await choice(1e12);
    expect(ample.weightCache).toBe(fast);
    if (!fast) return;
    const { weightCacheBytes } = await estimateMemory(quick({ model, weightCache: true }));
    expect(ample.neededBytes - off.neededBytes).toBe(weightCacheBytes);
    expect(await choice(2 * ample.neededBytes + 1e5)).toMatchObject({ weightCache: true });
    expect(await choice(2 * ample.neededBytes - 1e5)).toMatchObject({
      weightCache: false,
      neededBytes: off.neededBytes,
    });
    const refused = await choice((off.neededBytes + ample.neededBytes) / 2, true).catch((e) => e);
    expect(refused).toMatchObject({ code: 'INSUFFICIENT_MEMORY' });
    expect(refused.message).toMatch(/weight cache/);
    expect(refused.hint).toMatch(/weightCache 'auto' or false would fit/);
  });

  it('is reported, also where it has no effect', async () => {
    const events: unknown[] = [];
    await using model = await loadModel(await tinyModel());
    const run = finetune(quick({ model, precision: 'auto', weightCache: true }));
    for await (const event of run) events.push(event);
    expect(events).toContainEqual(
      expect.objectContaining({ phase: 'graph', weightCache: false, detail: '' }),
    );
    const { weightCache, warnings } = await run.result;
    expect(weightCache).toBe(false);
    expect(warnings).toMatchObject([{ code: 'WEIGHT_CACHE_UNAVAILABLE' }]);
  });
});
