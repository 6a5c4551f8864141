import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { tinyModel } from './tiny-model.js';

const { folder, remove } = exampleFolder('docs-checkpoints');
const files: Record<string, string> = Object.fromEntries(
  ['train.jsonl', 'more.jsonl', 'adapter.gguf', 'checkpoints'].map((name) => [
    name,
    join(folder, name),
  ]),
);
const rows = (answer: number) =>
  Array.from({ length: 160 }, (_, i) =>
    JSON.stringify({ prompt: `${i}?`, completion: ` ${i + answer}` }),
  ).join('\n');

beforeAll(async () => {
  files['base.gguf'] = await tinyModel('tiny-512', { contextLength: 512 });
  writeFileSync(files['train.jsonl']!, rows(1));
  writeFileSync(files['more.jsonl']!, rows(2));
});
afterAll(remove);

// In the order of the page: each example has the checkpoints of those before it.
describe('the examples of docs/checkpoints.md run', () => {
  it.each(examplesOf('checkpoints.md'))('example %i', async (i, block) => {
    const logged = await runExample(join(folder, `example-${i}.ts`), block, files);
    const expected = /console\.log\(.*\); \/\/ (.*)\n/.exec(block)?.[1];
    expect(logged.length).toBeGreaterThan(0);
    if (expected !== undefined) expect(logged).toEqual([[expected]]);
    if (block.includes('catch')) expect(logged[0]?.[0]).toBe('ABORTED');
    if (i === 1) expect(readdirSync(files.checkpoints!)).toHaveLength(1);
  });
});
