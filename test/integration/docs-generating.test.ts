import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetune } from '../../src/index.js';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { tinyModel } from './tiny-model.js';

const { folder, remove } = exampleFolder('docs-generating');
const adapter = join(folder, 'adapter.gguf');
let model: string;
beforeAll(async () => {
  model = await tinyModel();
  const dataset = [{ prompt: 'Once', completion: ' upon' }];
  await finetune({ model, dataset, output: adapter, maxSteps: 1, sequenceLength: 64 }).result;
});
afterAll(remove);

/** The block with what it takes for granted. */
const completed = (block: string): string =>
  [
    block.includes("from 'llamatune'") ? '' : "import { generate, loadModel } from 'llamatune';",
    block.includes('const model') || block.includes('using model')
      ? ''
      : "const model = 'base.gguf';",
    block,
  ].join('\n');

describe('the examples of docs/generating.md run', () => {
  it.each(examplesOf('generating.md'))('example %i', async (i, block) => {
    const files = { 'base.gguf': model, 'adapter.gguf': adapter };
    const logged = await runExample(join(folder, `example-${i}.ts`), completed(block), files);
    if (block.includes('// true')) expect(logged).toEqual([[true]]);
  });
});
