import { existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sandboxLimitsSchema } from '../../../src/config/sandbox.js';
import type { VerifierOptions } from '../../../src/config/verifier.js';
import { runJob } from '../../../src/sandbox/run-job.js';
import { createVerifier } from '../../../src/verify/create-verifier.js';
import * as attacks from '../../attacks.js';
import { root } from '../../layout/source-files.js';
import { canIsolate } from '../../toolchains.js';

const mark = attacks.newMark();

type Limits = Extract<VerifierOptions, { type: 'run' }>['limits'];

/** The verdict on a program that should write `expected`. */
async function verdictOn(code: string, expected: string, limits: Limits = {}) {
  const verifier = await createVerifier({
    type: 'run',
    language: 'cpp',
    limits: { timeMs: 20_000, processes: 8, ...limits },
  });
  return verifier.verify(mark + code, { index: 0, prompt: '', expected });
}

const inTime = { passed: false, compiled: true, stage: 'run' };

describe.skipIf(!canIsolate())('a program in namespaces', () => {
  let temporary: string;
  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), 'sandbox-test-'));
    vi.stubEnv('TMPDIR', temporary);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await vi.waitFor(() => expect(attacks.programsOf(mark)).toEqual([]), 5000);
    expect(readdirSync(temporary)).toEqual([]);
    rmdirSync(temporary);
  });

  it('gets every byte of its input', async () => {
    const stdin = "a\0\0'$(id)%s\\0\u0081\r\n\0";
    const steps = [{ commands: () => [['cat']], stdin, limits: sandboxLimitsSchema.parse({}) }];
    const [outcome] = await runJob('isolated', { files: {}, readable: [], steps });
    expect(outcome).toMatchObject({ exitCode: 0, stdout: stdin });
  });

  it('cannot fork without end', async () => {
    let most = 0;
    const count = setInterval(() => {
      most = Math.max(most, attacks.programsOf(mark).length);
    }, 50);
    const verdict = await verdictOn(attacks.FORK_BOMB, '', { timeMs: 1500 });
    clearInterval(count);
    expect(verdict).toMatchObject({ ...inTime, detail: 'did not end within 1.5 s' });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('ends after its time and its CPU time', async () => {
    expect(await verdictOn(attacks.SLEEP, '', { timeMs: 500 })).toMatchObject({
      ...inTime,
      detail: 'did not end within 0.5 s',
    });
    const verdict = await verdictOn(attacks.ENDLESS_LOOP, '', { cpuSeconds: 1 });
    expect(verdict).toMatchObject(inTime);
    expect(verdict.detail).toMatch(/SIGXCPU|SIGKILL/);
  });

  it('cannot use more memory than allowed, alone or with its children', async () => {
    const memoryBytes = 256 * 1024 * 1024;
    expect(await verdictOn(attacks.allocation(100, 1), '', { memoryBytes })).toMatchObject({
      passed: true,
    });
    expect(await verdictOn(attacks.allocation(300, 1), '', { memoryBytes })).toMatchObject({
      ...inTime,
      detail: 'ended with code 3',
    });
    expect(await verdictOn(attacks.allocation(100, 6), '', { memoryBytes })).toMatchObject({
      ...inTime,
      detail: 'used more than 268435456 bytes of memory',
    });
  });

  it('cannot hide memory in files without a name or in shared memory', async () => {
    const limits = { memoryBytes: 256 * 1024 * 1024 };
    expect(await verdictOn(attacks.HIDDEN_ALLOCATION, '', limits)).toMatchObject({
      ...inTime,
      detail: 'used more than 268435456 bytes of memory',
    });
    const segments = attacks.HIDDEN_ALLOCATION.replace('std::fflush(stdout);', 'return 0;');
    expect(await verdictOn(segments, '0', limits)).toMatchObject({ passed: true, detail: '' });
  });

  it('cannot write outside of its folder, or read what is not of the system', async () => {
    const outside = mkdtempSync(join(root, '.cache', 'outside-'));
    try {
      const writes = [
        ...[join(outside, 'x'), join(homedir(), 'x'), '/tmp/llamatune-outside'],
        ...['/x', '/usr/x', '/usr/local/lib/x', '/etc/x', '/dev/x', '/proc/sys/kernel/hostname'],
      ];
      const reads = [join(root, 'package.json'), '/etc/passwd', '/etc/shadow', '/proc/1/environ'];
      const code = attacks.fileAccess([...writes, 'own'], [...reads, '/usr/bin/env']);
      // /tmp is its own folder.
      const own = writes
        .filter((path) => path.startsWith('/tmp/'))
        .map((path) => `wrote ${path}\n`);
      const verdict = await verdictOn(code, `${own.join('')}wrote own\nread /usr/bin/env\nend`);
      expect(verdict).toMatchObject({ passed: true, detail: '' });
      for (const path of writes.filter((each) => !each.startsWith('/proc'))) {
        expect(existsSync(path), path).toBe(false);
      }
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it('sees nothing of the environment', async () => {
    vi.stubEnv('SECRET_OF_THE_USER', 'password');
    const expected = [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...['LANG=C.UTF-8', 'HOME=/answer/work', 'TMPDIR=/answer/work'],
    ];
    const verdict = await verdictOn(attacks.ENVIRONMENT, expected.join('\n'));
    expect(verdict).toMatchObject({ passed: true, detail: '' });
  });

  it('has no network', async () => {
    const connections: string[] = [];
    const listen = (where: number | string): Promise<Server> =>
      new Promise((resolve) => {
        const server = createServer((socket) => {
          connections.push(String(where));
          socket.destroy();
        });
        server.listen(where as string, () => resolve(server));
      });
    const name = `llamatune-test-${process.pid}`;
    const servers = [await listen(0), await listen(`\0${name}`)];
    const { port } = servers[0]!.address() as { port: number };
    expect(await verdictOn(attacks.sockets(port, name), 'end')).toMatchObject({ passed: true });
    for (const server of servers) server.close();
    expect(connections).toEqual([]);
  });

  it('cannot write without end', async () => {
    expect(await verdictOn(attacks.ENDLESS_OUTPUT, '', { outputBytes: 10_000 })).toMatchObject({
      ...inTime,
      detail: 'wrote more than 10000 bytes',
    });
    const huge = await verdictOn(attacks.HUGE_FILE, 'written');
    expect(huge).toMatchObject(inTime);
    expect(huge.detail).toContain('SIGXFSZ');
    const few = await verdictOn(attacks.manyFiles(500, 10), '500', { files: 100 });
    expect(few.detail).toMatch(/^wrote '9\d' instead/);
    const full = await verdictOn(attacks.manyFiles(100, 100_000), '100', { diskBytes: 2 ** 20 });
    expect(full.detail).toMatch(/^wrote '10' instead/);
  });

  it('leaves no process behind', async () => {
    expect(await verdictOn(attacks.DAEMON, 'started')).toMatchObject({ passed: true });
    await vi.waitFor(() => expect(attacks.programsOf(mark)).toEqual([]), 5000);
  });

  it('can only kill its own processes', async () => {
    expect(await verdictOn(attacks.KILL_ALL, '', { timeMs: 500 })).toMatchObject(inTime);
  });

  it('ends when the caller aborts', async () => {
    const verifier = await createVerifier({ type: 'run', language: 'cpp' });
    const abort = new AbortController();
    const verdict = verifier.verify(
      mark + attacks.SLEEP,
      { index: 0, prompt: '', expected: '' },
      abort.signal,
    );
    await vi.waitFor(() => expect(attacks.programsOf(mark)).not.toEqual([]), 20_000);
    abort.abort();
    await expect(verdict).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
