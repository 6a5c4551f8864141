import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
// @ts-expect-error: a build script without types
import { isUpToDate } from '../../../vendor/fetch.mjs';

const vendor = fileURLToPath(new URL('../../../vendor/', import.meta.url));
const patches = readdirSync(join(vendor, 'patches'));

describe('patches of llama.cpp', () => {
  it.each(patches)('%s says what it cures and how to see it', (name) => {
    const head = readFileSync(join(vendor, 'patches', name), 'utf8').split(/^(?:diff|---) /m)[0]!;
    const subjects = [...head.matchAll(/^([A-Z][\w ]+): /gm)].map((match) => match[1]);
    expect(subjects).toEqual(['Cures', 'Needed for', 'To see it', 'Upstream']);
  });

  it('makes the tree again after a change of a patch', () => {
    const stamp = '.llamatune-stamp.json';
    const made = JSON.parse(readFileSync(join(vendor, 'llama.cpp', stamp), 'utf8'));
    expect(made.patches.map((patch: { name: string }) => patch.name)).toEqual(patches);
    const tree = mkdtempSync(join(tmpdir(), 'patches-test-'));
    const write = (content: unknown) =>
      writeFileSync(join(tree, stamp), `${JSON.stringify(content, null, 2)}\n`);
    try {
      write(made);
      expect(isUpToDate(tree)).toBe(true);
      made.patches[0].sha256 = '0'.repeat(64);
      write(made);
      expect(isUpToDate(tree)).toBe(false);
    } finally {
      rmSync(tree, { recursive: true });
    }
  });
});
