import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';

const { folder, remove } = exampleFolder('docs-verifying');
afterAll(remove);

describe('the examples of docs/verifying.md run', () => {
  it.each(examplesOf('verifying.md'))('example %i', async (i, block) => {
    expect(await runExample(join(folder, `example-${i}.ts`), block, {})).toEqual([[true]]);
  });
});
