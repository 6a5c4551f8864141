import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { probe, probeSync } from '../../../src/contract/probe.js';
import { compileBrokenLibrary } from './broken-library.js';

const folder = mkdtempSync(join(tmpdir(), 'llamatune-probe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a module that stands for the addon and only opens a real library. */
function opener(name: string, body: string): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    `module.exports = { loadBackends(folder, [backend]) { ${body} }, systemInfo() {} };`,
  );
  return file;
}

async function probeBoth(file: string, backend: string): Promise<string | undefined> {
  const reason = await probe(file, folder, backend);
  expect(probeSync(file, folder, backend)).toBe(reason);
  return reason;
}

describe('probing a back end in a child process', () => {
  it.skipIf(process.platform === 'win32')('finds a library that ends the process', async () => {
    const library = compileBrokenLibrary(folder, 'broken.node');
    const file = opener('crash.cjs', 'process.dlopen({ exports: {} }, backend);');
    expect(await probeBoth(file, library)).toMatch(/was ended by SIG|ended with exit code/);
  });

  it('accepts a back end that loads', async () => {
    expect(await probeBoth(opener('fine.cjs', ''), 'vulkan')).toBeUndefined();
  });

  it('says why a library cannot be loaded', async () => {
    const file = opener('missing.cjs', 'process.dlopen({ exports: {} }, backend);');
    expect(await probeBoth(file, join(folder, 'no-such-library'))).toContain('exit code 1');
  });

  it('rejects a back end whose process exits early without an error', async () => {
    expect(await probeBoth(opener('early.cjs', 'process.exit(0);'), 'vulkan')).toContain(
      'exit code 0',
    );
  });
});
