import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  estimateMemory,
  type FinetuneOptions,
  type LoadedModel,
  loadModel,
} from '../../src/index.js';
import { tinyModel } from './tiny-model.js';

let model: LoadedModel;
beforeAll(async () => {
  model = await loadModel(await tinyModel());
});
afterAll(async () => {
  await model.dispose();
});

describe('estimateMemory', () => {
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
