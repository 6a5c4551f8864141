import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetune } from '../../src/index.js';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { tinyModel } from './tiny-model.js';

const { folder, remove } = exampleFolder('docs-evaluating');
const at = (name: string) => join(folder, name);
let model: string;
beforeAll(async () => {
  model = await tinyModel();
  const dataset = [{ prompt: 'Once', completion: ' upon' }];
  await finetune({
    ...{ model, dataset, output: at('adapter.gguf'), maxSteps: 1, sequenceLength: 64 },
  }).result;
  const row = { prompt: 'Is it good?', completion: ' Yes.', tone: 'positive' };
  writeFileSync(at('validation.jsonl'), `${JSON.stringify(row)}\n`.repeat(3));
  writeFileSync(at('outputs.jsonl'), '{"output": "Yes, good."}\n'.repeat(3));
});
afterAll(remove);

describe('docs/evaluating.md', () => {
  it.each(examplesOf('evaluating.md'))('example %i runs', async (i, block) => {
    const code = block.includes('import ')
      ? block
      : `import { evaluate } from 'llamatune';\n${block}`;
    const logged = await runExample(at(`example-${i}.ts`), code, {
      ...{ 'base.gguf': model, 'minilm.gguf': model, results: at('results') },
      ...Object.fromEntries(
        ['adapter.gguf', 'validation.jsonl', 'outputs.jsonl'].map((name) => [name, at(name)]),
      ),
    });
    if (i === 1) {
      expect(logged.flat()).toContainEqual(expect.objectContaining({ rows: 3 }));
      expect(logged.flat()).toContainEqual(expect.stringContaining('another program'));
    } else expect(logged[0]![0]).toHaveLength(2);
  });
});
