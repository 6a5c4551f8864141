import { readdirSync } from 'node:fs';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sandboxLimitsSchema } from '../../../src/config/sandbox.js';
import { sandboxCapabilities } from '../../../src/sandbox/capabilities.js';
import { runJob } from '../../../src/sandbox/run-job.js';

const windows = process.platform === 'win32';

/** Runs a script of Node, with as many limits as the mode has. */
async function run(
  mode: 'limits' | 'none',
  script: string,
  limits: Parameters<typeof sandboxLimitsSchema.parse>[0] = {},
  signal?: AbortSignal,
) {
  const [outcome] = await runJob(
    mode,
    {
      files: { 'main.js': script },
      readable: [],
      steps: [
        {
          commands: ({ box }) => [[process.execPath, join(box, 'main.js')]],
          stdin: 'from stdin',
          limits: sandboxLimitsSchema.parse({ memoryBytes: 2 ** 32, ...(limits as object) }),
          reservesMemory: true,
        },
      ],
    },
    signal,
  );
  return outcome!;
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe.each(windows ? (['none'] as const) : (['limits', 'none'] as const))(
  "programs with sandbox: '%s'",
  (mode) => {
    let temporary: string;
    beforeEach(async () => {
      temporary = await mkdtemp(join(tmpdir(), 'sandbox-test-'));
      vi.stubEnv(windows ? 'TEMP' : 'TMPDIR', temporary);
      vi.stubEnv('SECRET_OF_THE_USER', 'password');
    });
    afterEach(async () => {
      vi.unstubAllEnvs();
      expect(readdirSync(temporary)).toEqual([]);
      await rmdir(temporary);
    });

    it('get their input, a clean environment and an empty folder', async () => {
      const outcome = await run(
        mode,
        `const { readFileSync, readdirSync } = require('node:fs');
        console.log(readFileSync(0, 'utf8'), process.env.SECRET_OF_THE_USER, readdirSync('.'));
        console.error('problem');
        process.exitCode = 3;`,
      );
      expect(outcome).toMatchObject({
        exitCode: 3,
        stdout: 'from stdin undefined []\n',
        stderr: 'problem\n',
        stopped: null,
      });
    });

    it('end after their time, and with their output', async () => {
      const endless = await run(mode, 'for (;;);', { timeMs: 1000 });
      expect(endless).toMatchObject({ stopped: 'time' });
      const loud = await run(mode, "for (;;) console.log('x'.repeat(1000))", { outputBytes: 5000 });
      expect(loud.stopped).toBe('output');
      expect(loud.stdout).toHaveLength(5000);
    });

    it('end with the processes that they started', async () => {
      const { stdout } = await run(
        mode,
        `const { spawn } = require('node:child_process');
        const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e6)'], { stdio: 'ignore' });
        console.log(child.pid);
        process.exit();`,
        windows ? { timeMs: 1 } : {},
      );
      if (!windows) await vi.waitFor(() => expect(isAlive(Number(stdout))).toBe(false), 5000);
    });

    it('end when the caller aborts', async () => {
      const result = run(mode, 'setTimeout(() => {}, 1e6)', {}, AbortSignal.timeout(500));
      await expect(result).rejects.toMatchObject({ code: 'ABORTED' });
    });
  },
);

describe.skipIf(windows)('limits of resources', () => {
  it('apply to the size of files, CPU time and open files', async () => {
    const file = await run(
      'limits',
      "require('node:fs').writeFileSync('x', Buffer.alloc(1e6)); console.log('written')",
      { fileBytes: 1000 },
    );
    expect(file.stdout).toBe('');
    const cpu = await run('limits', 'for (;;);', { cpuSeconds: 1, timeMs: 20_000 });
    expect(cpu).toMatchObject({ stopped: null });
    expect(cpu.exitCode).toBeGreaterThan(128);
    const open = await run(
      'limits',
      "const { openSync } = require('node:fs'); for (let i = 0; i < 100; i++) openSync('/dev/null'); console.log('open')",
      { openFiles: 50 },
    );
    expect(open.stdout).toBe('');
  });
});

describe('sandboxCapabilities', () => {
  it('says what each mode protects from', async () => {
    const [isolated, limits, none] = await sandboxCapabilities();
    expect([isolated!.mode, limits!.mode, none!.mode]).toEqual(['isolated', 'limits', 'none']);
    expect(none!.available).toBe(true);
    expect(none!.provided).toEqual([
      ...['environment', 'time'],
      ...(process.platform === 'linux' ? ['memory'] : []),
      'output',
    ]);
    expect(limits!.available).toBe(!windows);
    expect(isolated!.available).toBe(isolated!.reason === '');
    for (const { provided, missing } of [isolated!, limits!, none!]) {
      expect(provided.length + missing.length).toBe(11);
      for (const { reason } of missing) expect(reason).not.toBe('');
    }
  });
});
