import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { finetune } from '../../src/index.js';
import { root } from './command-line.js';
import { tinyModel } from './tiny-model.js';

const page = readFileSync(join(root, 'docs', 'generating.md'), 'utf8');
const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);

/** A folder of the repository, so that vitest compiles the modules in it. */
const folder = join(root, '.cache', `docs-generating-${process.pid}`);
const adapter = join(folder, 'adapter.gguf');
let model: string;
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  model = await tinyModel();
  const dataset = [{ prompt: 'Once', completion: ' upon' }];
  await finetune({ model, dataset, output: adapter, maxSteps: 1, sequenceLength: 64 }).result;
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The block as a module of its own: with what it takes for granted, and with the files of this test. */
function moduleOf(block: string): string {
  const given = [
    block.includes("from 'llamatune'") ? '' : "import { generate, loadModel } from 'llamatune';",
    block.includes('const model') || block.includes('using model')
      ? ''
      : "const model = 'base.gguf';",
  ];
  const library = join(root, 'src', 'index.js');
  return [...given, block, 'export {};']
    .join('\n')
    .replaceAll("'llamatune'", JSON.stringify(library))
    .replaceAll("'base.gguf'", JSON.stringify(model))
    .replaceAll("'adapter.gguf'", JSON.stringify(adapter));
}

describe('the examples of docs/generating.md run', () => {
  it.each(blocks.map((block, i) => [i + 1, block] as const))('example %i', async (i, block) => {
    const file = join(folder, `example-${i}.ts`);
    writeFileSync(file, moduleOf(block));
    const log = vi.spyOn(console, 'log').mockReturnValue();
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      await import(file);
      if (block.includes('// true')) expect(log.mock.calls).toEqual([[true]]);
    } finally {
      vi.restoreAllMocks();
    }
  });
});
