import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

function nativeTests(...parts: string[]) {
  const program = ['llamatune-native-tests', 'Release/llamatune-native-tests.exe']
    .map((name) => join(root, 'build', 'addon', name))
    .find((file) => existsSync(file));
  return run(program!, ...parts);
}

describe('a test filter', () => {
  it('that matches no native test fails the run, also together with one that matches', () => {
    const { status, output } = nativeTests('core/rng', 'no such test');
    expect(output).toContain("FAILED  no test's name contains 'no such test'");
    expect(output).toMatch(/^\d+ passed, 1 failed, 0 skipped$/m);
    expect(status).toBe(1);
    expect(nativeTests('core/rng').status).toBe(0);
  });

  it('that matches no vitest test fails the run', () => {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const args = [vitest, 'run', '--project=unit', 'test/unit/schedule'];
    expect(run(process.execPath, ...args, '-t', 'warm').status).toBe(0);
    const { status, output } = run(process.execPath, ...args, '-t', 'no such test');
    expect(output).toContain("no test's name matches /no such test/");
    expect(status).toBe(1);
    expect(run(process.execPath, vitest, 'run', 'test/no-such-folder').status).toBe(1);
  });

  it('with an unknown step of npm test fails', () => {
    for (const argument of ['no-such-step', '--no-such-option']) {
      const { status, output } = run(process.execPath, 'scripts/test.mjs', 'lint', argument);
      expect(output).toContain(argument);
      expect(status).toBe(1);
    }
  });
});
