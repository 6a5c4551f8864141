import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { useFiles } from '../../../src/files/lock.js';
import { folderPerTest } from '../../folder-per-test.js';

const at = folderPerTest();
const outputs = () => [
  { field: 'output', path: at('old/new/deep/out.gguf'), kind: 'file' } as const,
  { field: 'directory', path: at('other'), kind: 'folder' } as const,
];
const failAfter = (work: () => void) =>
  useFiles({ inputs: [], outputs: outputs() }, async () => {
    work();
    throw new Error('refused');
  });

it('a call that fails removes the empty folders that it made, and no others', async () => {
  mkdirSync(at('old'));
  const seen = () => ['old/new/deep', 'other'].map((name) => existsSync(at(name)));
  let during: boolean[] = [];
  const failed = failAfter(() => {
    during = seen();
  });
  await expect(failed).rejects.toThrow('refused');
  expect(during).toEqual([true, true]);
  expect([existsSync(at('old')), existsSync(at('old/new')), ...seen()]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

it('a call that fails keeps folders with files, and a call that succeeds keeps all', async () => {
  await expect(failAfter(() => writeFileSync(at('old/new/mine'), ''))).rejects.toThrow('refused');
  expect(existsSync(at('old/new/mine'))).toBe(true);
  expect([existsSync(at('old/new/deep')), existsSync(at('other'))]).toEqual([false, false]);
  await useFiles({ inputs: [], outputs: outputs() }, async () => {});
  expect([existsSync(at('old/new/deep')), existsSync(at('other'))]).toEqual([true, true]);
});
