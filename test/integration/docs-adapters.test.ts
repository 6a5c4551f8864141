import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { finetune } from '../../src/index.js';
import { llamatune, root } from './command-line.js';
import { tinyModel } from './tiny-model.js';

const page = readFileSync(join(root, 'docs', 'adapters.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
const blocksOf = (language: string) =>
  blocks.filter(([, each]) => each === language).map(([, , code]) => code!);

/** A folder of the repository, so that vitest compiles the modules in it. */
const folder = join(root, '.cache', `docs-adapters-${process.pid}`);
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const model = join(folder, 'base.gguf');
  cpSync(await tinyModel(), model);
  const dataset = [{ prompt: 'Once', completion: ' upon' }];
  const output = join(folder, 'adapter.gguf');
  const { modelCard } = await finetune({ model, dataset, output, maxSteps: 1, sequenceLength: 64 })
    .result;
  expect(modelCard).toBe(join(folder, 'README.md'));
  expect(existsSync(join(folder, 'adapter-loss.svg'))).toBe(true);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Names of files in the folder of this test. */
const isFile = (text: string) => /^([\w-]+\.gguf|peft)$/.test(text);

describe('docs/adapters.md', () => {
  const examples = blocksOf('ts');
  it.each(examples.map((block, i) => [i + 1, block] as const))(
    'example %i runs',
    async (i, block) => {
      const library = join(root, 'src', 'index.js');
      const code = block.replaceAll(/'([^'\n]+)'/g, (quoted, text: string) => {
        if (text === 'llamatune') return JSON.stringify(library);
        return isFile(text) ? JSON.stringify(join(folder, text)) : quoted;
      });
      const file = join(folder, `example-${i}.ts`);
      writeFileSync(file, `${code}\nexport {};`);
      vi.spyOn(console, 'log').mockReturnValue();
      vi.spyOn(process.stdout, 'write').mockReturnValue(true);
      try {
        await import(file);
      } finally {
        vi.restoreAllMocks();
      }
    },
  );

  const lines = blocksOf('').flatMap((block) => block.split('\n'));
  it.each(lines.filter((line) => line.startsWith('llamatune ')))('%s', async (line) => {
    const args = line.split(' ').slice(1);
    const { exit, stderr } = await llamatune(
      args.map((text) => (isFile(text) ? join(folder, text) : text)),
    );
    expect(stderr).toBe('');
    expect(exit).toBe(0);
  });

  it('has examples of every call', () => {
    expect(examples).toHaveLength(3);
    expect(lines.filter((line) => line.startsWith('llamatune '))).toHaveLength(3);
  });
});
