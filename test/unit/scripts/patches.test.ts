import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
// @ts-expect-error: a build script without types
import { expectedStamp, isUpToDate } from '../../../vendor/fetch.mjs';

const vendor = fileURLToPath(new URL('../../../vendor/', import.meta.url));
const patches = readdirSync(join(vendor, 'patches'));

describe('patches of llama.cpp', () => {
  it.each(patches)('%s says what it fixes and how to see it', (name) => {
    const head = readFileSync(join(vendor, 'patches', name), 'utf8').split(/^(?:diff|---) /m)[0]!;
    const subjects = [...head.matchAll(/^([A-Z][\w ]+): /gm)].map((match) => match[1]);
    expect(subjects).toEqual(['Cures', 'Needed for', 'To see it', 'Upstream']);
  });

  it('the tree is made again after a change of a patch', () => {
    const stamp: string = expectedStamp();
    expect(JSON.parse(stamp).patches.map((each: { name: string }) => each.name)).toEqual(patches);
    const tree = mkdtempSync(join(tmpdir(), 'patches-test-'));
    const write = (content: string) => writeFileSync(join(tree, '.llamatune-stamp.json'), content);
    try {
      expect(isUpToDate(tree)).toBe(false);
      write(stamp);
      expect(isUpToDate(tree)).toBe(true);
      write(stamp.replace(/"sha256": "./, '"sha256": "x'));
      expect(isUpToDate(tree)).toBe(false);
    } finally {
      rmSync(tree, { recursive: true });
    }
  });
});
