import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetune } from '../../src/index.js';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { tinyModel } from './tiny-model.js';

const { folder, remove } = exampleFolder('docs-scoring');
const adapter = join(folder, 'adapter.gguf');
const dataset = join(folder, 'test.jsonl');
let model: string;
beforeAll(async () => {
  model = await tinyModel();
  writeFileSync(dataset, '{"prompt":"Once","completion":" upon"}\n');
  const options = { model, dataset, output: adapter, maxSteps: 1, sequenceLength: 64 };
  await finetune({ ...options, modelCard: false }).result;
});
afterAll(remove);

describe('the examples of docs/scoring.md run', () => {
  it.each(examplesOf('scoring.md'))('example %i', async (i, block) => {
    const files = { 'base.gguf': model, 'adapter.gguf': adapter, 'test.jsonl': dataset };
    const logged = await runExample(join(folder, `example-${i}.ts`), block, files);
    for (const value of logged.flat().filter((each) => typeof each === 'number')) {
      expect(value).toBeGreaterThanOrEqual(-1);
      expect(Number.isFinite(value)).toBe(true);
    }
    expect(logged).toHaveLength(1);
  });
});
