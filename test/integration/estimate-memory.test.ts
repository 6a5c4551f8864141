import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  estimateMemory,
  type FinetuneOptions,
  type LoadedModel,
  loadModel,
} from '../../src/index.js';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import { small } from '../../tools/bench-memory/configurations.mjs';
// @ts-expect-error: the benchmark's scripts are plain JavaScript
import { measureMemory } from '../../tools/bench-memory/main.mjs';
import { tinyModel } from './tiny-model.js';

let model: LoadedModel;
beforeAll(async () => {
  model = await loadModel(await tinyModel());
});
afterAll(async () => {
  await model.dispose();
});

describe('estimateMemory', () => {
  it.each(small as string[])(
    'is within 10 %% of the peak memory of a process: %s',
    async (name) => {
      const { error, ratio } = await measureMemory(name);
      expect(error).toBeUndefined();
      expect(ratio).toBeGreaterThan(0.9);
      expect(ratio).toBeLessThan(1.1);
    },
    300_000,
  );

  it('is the sum of its parts and counts the process', async () => {
    const estimate = await estimateMemory({ model, sequenceLength: 128 });
    const {
      weightsBytes,
      adapterBytes,
      optimizerBytes,
      activationBytes,
      graphBytes,
      weightCacheBytes,
      processBytes,
    } = estimate;
    const ofRun = adapterBytes + optimizerBytes + activationBytes + graphBytes + weightCacheBytes;
    expect(estimate.totalBytes).toBe(weightsBytes + ofRun + processBytes);
    expect(processBytes).toBeGreaterThan(30e6);
    expect(estimate.totalBytes).toBeLessThan(2 * process.memoryUsage.rss());
  });

  it('estimates the memory with and without gradient checkpointing', async () => {
    const estimate = await estimateMemory({ model, sequenceLength: 128 });
    expect(estimate).toMatchObject({ gradientCheckpointing: false });
    expect(estimate.activationBytes).toBe(estimate.activationBytesOff);
    expect(estimate.activationBytesOn).toBeLessThan(estimate.activationBytesOff);
    const on = await estimateMemory({ model, sequenceLength: 128, gradientCheckpointing: true });
    expect(on).toMatchObject({
      gradientCheckpointing: true,
      activationBytes: estimate.activationBytesOn,
    });
  });

  it('grows with the sequence length and the micro-batch', async () => {
    const activation = async (options: Partial<FinetuneOptions>) =>
      (await estimateMemory({ model, ...options })).activationBytes;
    const base = await activation({ sequenceLength: 64, batchSize: 4, microBatchSize: 1 });
    expect(base).toBeGreaterThan(0);
    expect(
      await activation({ sequenceLength: 128, batchSize: 4, microBatchSize: 1 }),
    ).toBeGreaterThan(base);
    expect(
      await activation({ sequenceLength: 64, batchSize: 4, microBatchSize: 4 }),
    ).toBeGreaterThan(base);
  });
});
