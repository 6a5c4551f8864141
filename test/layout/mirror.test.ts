import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './source-files.js';

const foldersIn = (path: string): string[] =>
  readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

/** Test folders without a source folder. */
const ALLOWED = {
  // the survey behind docs/architectures.md, and tests on a device chosen by LLAMATUNE_TEST_DEVICE
  'test/native': ['architectures', 'device'],
  // documents and the build's scripts are tested as units too
  'test/unit': ['docs', 'scripts', 'tools'],
} as const;

describe('test folders mirror source folders', () => {
  it.each([
    ['test/native', 'native', ALLOWED['test/native']],
    ['test/unit', 'src', ALLOWED['test/unit']],
    ['test/unit/tools', 'tools', []],
  ] as const)('%s mirrors %s', (tests, sources, allowed) => {
    const extra = foldersIn(tests).filter((folder) => !foldersIn(sources).includes(folder));
    expect(extra.sort()).toEqual([...allowed].sort());
  });
});
