import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { tinyModel } from './tiny-model.js';

const { folder, remove } = exampleFolder('docs-adaptive');
const files: Record<string, string> = Object.fromEntries(
  ['train.jsonl', 'adapter.gguf'].map((name) => [name, join(folder, name)]),
);

beforeAll(async () => {
  files['base.gguf'] = await tinyModel('tiny-512', { contextLength: 512 });
  const rows = Array.from({ length: 32 }, (_, i) => ({ prompt: `${i}?`, completion: ` ${i + 1}` }));
  writeFileSync(files['train.jsonl']!, rows.map((row) => JSON.stringify(row)).join('\n'));
});
afterAll(remove);

describe('the examples of docs/adaptive.md run', () => {
  const expected = [/^0 interventions$/, /^4$/, /^0 updates skipped$/];

  it('all of them', () => expect(examplesOf('adaptive.md')).toHaveLength(expected.length));

  it.each(examplesOf('adaptive.md'))('example %i', async (i, block) => {
    const logged = await runExample(join(folder, `example-${i}.ts`), block, files);
    expect(String(logged.at(-1)?.[0])).toMatch(expected[i - 1]!);
  });
});
