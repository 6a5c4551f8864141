import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { model, trained } from './raft-setup.js';

const { folder, remove } = exampleFolder('docs-raft');
const prompts = join(folder, 'prompts.jsonl');
beforeAll(() =>
  writeFileSync(
    prompts,
    trained
      .slice(0, 4)
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(''),
  ),
);
afterAll(remove);

describe('the examples of docs/raft.md run', () => {
  it.each(examplesOf('raft.md'))('example %i', async (i, block) => {
    const output = (name: string) => join(folder, `${i}-${name}`);
    const files = {
      ...{ 'base.gguf': model, 'prompts.jsonl': prompts },
      ...Object.fromEntries(['raft', 'held-out', 'short'].map((name) => [name, output(name)])),
    };
    const logged = await runExample(join(folder, `example-${i}.ts`), block, files);
    expect(logged.length).toBeGreaterThan(0);
  });
});
