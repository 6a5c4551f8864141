import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Verdict } from '../../src/verify/verifier.js';
import * as attacks from '../attacks.js';
import { root } from '../layout/source-files.js';
import { canIsolate } from '../toolchains.js';

const NOBODY = 65_534;
/** Root, and a user without rights, if the tests run as root. */
const users = process.getuid?.() === 0 ? [undefined, NOBODY] : [undefined];

let temporary: string;
let mark: string;

function startWorker(options: {
  code: string;
  expected?: string;
  limits?: object;
  user?: number | undefined;
}): ChildProcess {
  const limits = { timeMs: 20_000, processes: 8, ...options.limits };
  const argument = JSON.stringify({
    expected: '',
    ...options,
    code: mark + options.code,
    limits,
  });
  return spawn(process.execPath, [join(root, 'test/integration/verify-worker.mjs'), argument], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function verdictOf(worker: ChildProcess): Promise<Verdict> {
  let output = '';
  for await (const chunk of worker.stdout!) output += String(chunk);
  return JSON.parse(output) as Verdict;
}

const noneIsLeft = () =>
  vi.waitFor(() => expect(attacks.programsOf(mark)).toEqual([]), { timeout: 10_000 });

describe.skipIf(!canIsolate())('a sandbox', () => {
  describe.each(users)('of user %s', (user) => {
    beforeEach(() => {
      temporary = mkdtempSync(join(tmpdir(), 'sandbox-test-'));
      mark = attacks.newMark();
    });
    afterEach(async () => {
      await noneIsLeft();
      expect(readdirSync(temporary)).toEqual([]);
      rmdirSync(temporary);
    });

    it.each([
      ['a daemon', attacks.DAEMON],
      ['a fork bomb', attacks.FORK_BOMB],
      ['a program that sleeps', attacks.SLEEP],
    ])('leaves nothing of %s behind when its process is killed', async (_, code) => {
      // A program that lasts as long as its daemon.
      const lasting = code.replace('std::puts("started");', 'sleep(1000);');
      const worker = startWorker({ code: lasting, user });
      const namespace = await vi.waitFor(
        () => {
          const found = attacks.namespaceUnder(worker.pid!);
          expect(found).toBeDefined();
          return found!;
        },
        { timeout: 30_000 },
      );
      expect(attacks.processesIn(namespace)).not.toEqual([]);
      worker.kill('SIGKILL');
      await vi.waitFor(() => expect(attacks.processesIn(namespace)).toEqual([]), {
        timeout: 10_000,
      });
    });

    it('leaves nothing of a daemon behind when its program has ended', async () => {
      const verdict = await verdictOf(
        startWorker({ code: attacks.DAEMON, expected: 'started', user }),
      );
      expect(verdict).toMatchObject({ passed: true });
      await noneIsLeft();
    });

    it('limits processes', async () => {
      const limits = { timeMs: 1500 };
      const verdict = verdictOf(startWorker({ code: attacks.FORK_BOMB, limits, user }));
      let most = 0;
      const count = setInterval(() => {
        most = Math.max(most, attacks.programsOf(mark).length);
      }, 50);
      expect(await verdict).toMatchObject({ stage: 'run', detail: 'did not end within 1.5 s' });
      clearInterval(count);
      expect(most).toBeGreaterThan(1);
      expect(most).toBeLessThanOrEqual(8);
    });

    it('ends programs that stop and kill all processes', async () => {
      const limits = { timeMs: 500 };
      const verdict = await verdictOf(startWorker({ code: attacks.KILL_ALL, limits, user }));
      expect(verdict).toMatchObject({ passed: false, stage: 'run' });
    });

    it('hides and protects files', async () => {
      const paths = ['/x', '/usr/x', '/etc/x', join(root, 'x'), '/usr/local/lib/x'];
      const reads = [join(root, 'package.json'), '/etc/passwd', '/proc/1/environ'];
      const code = attacks.fileAccess([...paths, 'own'], reads);
      const verdict = await verdictOf(startWorker({ code, expected: 'wrote own\nend', user }));
      expect(verdict).toMatchObject({ passed: true, detail: '' });
    });
  });

  it('is refused to a root without other user ids', async () => {
    const worker = join(root, 'test/integration/verify-worker.mjs');
    const argument = JSON.stringify({ code: '', expected: '' });
    const child = spawn('unshare', ['--map-root-user', process.execPath, worker, argument], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(await verdictOf(child)).toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      message: expect.stringMatching(
        /^cannot run code .*'isolated': the sandbox could not .*: .+$/,
      ),
    });
  });
});
