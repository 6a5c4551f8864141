import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetuneFull, generate, loadModel } from '../../src/index.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
let path: string;
beforeAll(async () => {
  path = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const answers = ['red', 'blue', 'green', 'grey', 'pink', 'teal', 'gold', 'lime'];
const rows = answers.map((completion, i) => ({
  prompt: `Colour ${i}?`,
  completion: ` ${completion}`,
}));
const options = {
  dataset: rows,
  output: join(folder, 'whole.gguf'),
  sequenceLength: 32,
  batchSize: 8,
  epochs: 120,
  optimizer: { learningRate: 3e-3 },
  threads: 1,
};

describe('finetuneFull', () => {
  it('trains every parameter and writes a model that loads', async () => {
    const result = await finetuneFull({ ...options, model: path }).result;
    expect(result.mode).toBe('full');
    expect(result.finalLoss).toBeLessThan(0.05);
    await using trained = await loadModel(options.output);
    expect(result.trainableParameters).toBe(trained.info.parameters);
    const { prompt, completion } = rows[5]!;
    const answer = await generate({
      model: trained,
      prompt,
      temperature: 0,
      maxTokens: 8,
      threads: 1,
    }).result;
    expect(answer.text).toBe(completion);
  });

  it('refuses a loaded model, whose weights must not change', async () => {
    await using model = await loadModel(path);
    await expect(finetuneFull({ ...options, model }).result).rejects.toMatchObject({
      code: 'MODEL_NOT_TRAINABLE',
    });
  });
});
