import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

const windows = process.platform === 'win32';

/** Another platform, whose capabilities are found out again. */
async function onPlatform(platform: NodeJS.Platform) {
  vi.spyOn(process, 'platform', 'get').mockReturnValue(platform);
  vi.resetModules();
  return import('../../../src/sandbox/capabilities.js');
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe('a verifier of code', () => {
  it.each([
    ['c', 'C', 'install gcc or clang'],
    ['cpp', 'C++', 'install g++ or clang'],
    ['rust', 'Rust', 'install Rust'],
    ['go', 'Go', 'install Go'],
    ['python', 'Python', 'install Python 3'],
  ] as const)('names the missing tools of %s', async (language, title, hint) => {
    const { createVerifier } = await import('../../../src/verify/create-verifier.js');
    vi.stubEnv('PATH', tmpdir());
    await expect(createVerifier({ type: 'run', language, sandbox: 'none' })).rejects.toMatchObject({
      code: 'TOOLCHAIN_NOT_FOUND',
      message: `no tools for ${title} were found`,
      hint: expect.stringContaining(hint),
    });
  });

  it.skipIf(windows)('says how a tool failed', async () => {
    const { createVerifier } = await import('../../../src/verify/create-verifier.js');
    const folder = mkdtempSync(join(tmpdir(), 'tools-test-'));
    try {
      writeFileSync(join(folder, 'rustc'), '#!/bin/sh\necho "no default toolchain" >&2\nexit 1\n');
      chmodSync(join(folder, 'rustc'), 0o755);
      vi.stubEnv('PATH', folder);
      const options = { type: 'compile', language: 'rust', sandbox: 'none' } as const;
      await expect(createVerifier(options)).rejects.toMatchObject({
        code: 'TOOLCHAIN_NOT_FOUND',
        message: expect.stringContaining('no default toolchain'),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is refused on Windows unless nothing is asked of the sandbox', async () => {
    const { requireSandbox } = await onPlatform('win32');
    for (const mode of ['isolated', 'limits'] as const) {
      await expect(requireSandbox(mode)).rejects.toMatchObject({
        code: 'SANDBOX_UNAVAILABLE',
        message: expect.stringContaining(`sandbox: '${mode}'`),
        hint: expect.stringContaining("sandbox: 'none'"),
      });
    }
    await expect(requireSandbox('none')).resolves.toBeUndefined();
  });

  it('is only limited on macOS', async () => {
    const { requireSandbox } = await onPlatform('darwin');
    await expect(requireSandbox('isolated')).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      hint: expect.stringContaining("sandbox: 'limits'"),
    });
    await expect(requireSandbox('limits')).resolves.toBeUndefined();
  });
});
