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
/** Who runs the sandbox. `command` comes before that of the process. */
interface Runner {
  name: string;
  user?: number;
  command?: readonly string[];
}
const isRoot = process.getuid?.() === 0;
const runners: readonly Runner[] = isRoot
  ? [{ name: 'root' }, { name: 'a user without rights', user: NOBODY }]
  : [{ name: 'this user' }];
/** As in many containers. */
const limitedRoot: Runner = {
  name: 'root without CAP_SYS_ADMIN',
  command: ['setpriv', '--inh-caps=-sys_admin', '--bounding-set=-sys_admin'],
};

let temporary: string;
let mark: string;

function startWorker(
  { user, command = [] }: Runner,
  given: { code: string; expected?: string; limits?: object },
): ChildProcess {
  const limits = { timeMs: 20_000, processes: 8, ...given.limits };
  const code = mark + given.code;
  const argument = JSON.stringify({ expected: '', ...given, code, limits, user });
  const worker = join(root, 'test/integration/verify-worker.mjs');
  const [program, ...args] = [...command, process.execPath, worker, argument];
  return spawn(program!, args, {
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
  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), 'sandbox-test-'));
    mark = attacks.newMark();
  });
  afterEach(async () => {
    await noneIsLeft();
    expect(readdirSync(temporary)).toEqual([]);
    rmdirSync(temporary);
  });

  describe.each(runners)('of $name', (runner) => {
    it.each([
      ['a daemon', attacks.DAEMON],
      ['a fork bomb', attacks.FORK_BOMB],
      ['a program that sleeps', attacks.SLEEP],
    ])('leaves nothing of %s behind when its process is killed', async (_, code) => {
      // A program that lasts as long as its daemon.
      const lasting = code.replace('std::puts("started");', 'sleep(1000);');
      const worker = startWorker(runner, { code: lasting });
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
        startWorker(runner, { code: attacks.DAEMON, expected: 'started' }),
      );
      expect(verdict).toMatchObject({ passed: true });
      await noneIsLeft();
    });

    it('ends programs that stop and kill all processes', async () => {
      const limits = { timeMs: 500 };
      const verdict = await verdictOf(startWorker(runner, { code: attacks.KILL_ALL, limits }));
      expect(verdict).toMatchObject({ passed: false, stage: 'run' });
    });
  });

  describe.each(isRoot ? [...runners, limitedRoot] : runners)('of $name', (runner) => {
    it('limits processes', async () => {
      const limits = { timeMs: 1500 };
      const verdict = verdictOf(startWorker(runner, { code: attacks.FORK_BOMB, limits }));
      let most = 0;
      const count = setInterval(() => {
        most = Math.max(most, attacks.programsOf(mark).length);
      }, 50);
      expect(await verdict).toMatchObject({ stage: 'run', detail: 'did not end within 1.5 s' });
      clearInterval(count);
      expect(most).toBeGreaterThan(1);
      expect(most).toBeLessThanOrEqual(8);
    });

    it('hides and protects files', async () => {
      const paths = ['/x', '/usr/x', '/etc/x', join(root, 'x'), '/usr/local/lib/x'];
      const reads = [join(root, 'package.json'), '/etc/passwd', '/proc/1/environ'];
      const code = attacks.fileAccess([...paths, 'own'], reads);
      const verdict = await verdictOf(startWorker(runner, { code, expected: 'wrote own\nend' }));
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
