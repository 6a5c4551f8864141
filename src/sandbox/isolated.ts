import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { throwIfAborted } from '../contract/run.js';
import { LlamatuneError } from '../errors.js';
import { atExit } from '../files/at-exit.js';
import { Capture } from './capture.js';
import {
  asUser,
  firstPipe,
  type IsolatedSetup,
  isolatedScript,
  PARENT_PIPE,
  STATUS_PIPE,
  SYSTEM_FOLDERS,
} from './isolated-script.js';
import type { JobRunner, SandboxJob, StepOutcome } from './job.js';
import { killable, killTree } from './kill.js';
import { LimitWatch } from './limit-watch.js';

/** Enough to mount a few file systems on a busy machine. */
const SETUP_MS = 20_000;
/** Until a sandbox that does not end is killed. */
const KILL_MS = 500;

/** User ids that systemd gives to services for a while, and to nobody else. */
const FIRST_USER = 61_184;
const USERS = 4336;
let jobs = 0;

/** Runs a job in namespaces of Linux: see docs/verifying.md for what this protects from. */
export const runIsolated: JobRunner = async (job, signal) => {
  throwIfAborted(signal);
  const isRoot = mayMakeNamespaces();
  const user = FIRST_USER + ((process.pid * 31 + jobs++) % USERS);
  const setup: IsolatedSetup = {
    ...{ mountPoint: mountPointFor(job), isRoot },
    user: isRoot ? user : 0,
  };
  const run = new IsolatedRun(startNamespaces(isRoot, user), job);
  signal?.addEventListener('abort', run.kill, { once: true });
  try {
    return await run.execute(isolatedScript(withoutSystemFolders(job), setup));
  } finally {
    signal?.removeEventListener('abort', run.kill);
    throwIfAborted(signal);
  }
};

const CAP_SYS_ADMIN = 21n;

/** Whether this process makes namespaces as root. Other users, and root in many containers, need a user namespace. */
export function mayMakeNamespaces(): boolean {
  if (process.getuid?.() !== 0) return false;
  const [, effective] = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return ((BigInt(`0x${effective ?? 0}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** A folder with none of the files that the job reads, and without mounts in it. */
function mountPointFor({ readable }: SandboxJob): string {
  const candidates = ['/mnt', '/media', '/srv', '/tmp'];
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  const found = candidates.find(
    (folder) =>
      existsSync(folder) &&
      !mounts.some((path) => path.startsWith(`${folder}/`)) &&
      !readable.some((path) => isWithin(path, folder)),
  );
  if (found !== undefined) return found;
  throw sandboxFailed(
    `no folder is free for its root; ${candidates.join(', ')} are missing or in use`,
  );
}

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder}/`);

/** Without the paths that are shown anyway, or twice. */
function withoutSystemFolders(job: SandboxJob): SandboxJob {
  const sorted = [...new Set(job.readable)].sort();
  const readable = sorted.filter(
    (path) =>
      ![...SYSTEM_FOLDERS, ...sorted.filter((each) => each !== path)].some((folder) =>
        isWithin(path, folder),
      ),
  );
  return { ...job, readable };
}

/**
 * Starts a shell as pid 1 of new namespaces, which reads its script from standard input. The shell, and so everything in
 * the namespaces, is killed when this process ends.
 *
 * @param isRoot the result of mayMakeNamespaces(). A root without CAP_SYS_ADMIN becomes `user` before it makes a user
 * namespace, because the kernel does not limit the number of root's processes in any namespace.
 */
function startNamespaces(isRoot: boolean, user: number): ChildProcess {
  const becomesUser = !isRoot && process.getuid?.() === 0;
  const args = [
    ...(becomesUser ? [...asUser(user), 'setpriv'] : []),
    ...['--pdeathsig', 'KILL', 'unshare'],
    ...(isRoot ? [] : ['--user', '--map-root-user']),
    ...['--mount', '--net', '--ipc', '--pid', '--fork', '--kill-child', 'sh', '-s'],
  ];
  return spawn('setpriv', args, {
    ...killable,
    stdio: ['pipe', 'ignore', ...Array.from({ length: 7 }, () => 'pipe' as const)],
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin:/usr/bin:/bin` },
  });
}

/** Follows a script through its pipes. */
class IsolatedRun {
  readonly #job: SandboxJob;
  readonly #child: ChildProcess;
  readonly #captures: { stdout: Capture; stderr: Capture }[];
  readonly #errors: Capture;
  readonly #setupTimer: NodeJS.Timeout;
  #killTimer: NodeJS.Timeout | undefined;
  readonly #outcomes: StepOutcome[] = [];
  #step = -1;
  #watch: LimitWatch | undefined;

  constructor(child: ChildProcess, job: SandboxJob) {
    this.#child = child;
    this.#job = job;
    const excess = () => this.#watch?.stop('output');
    this.#captures = job.steps.map(({ limits }, i) => {
      const [stdout, stderr] = [firstPipe(i), firstPipe(i) + 1].map(
        (pipe) => new Capture(child.stdio[pipe] as Readable, limits.outputBytes, excess),
      );
      return { stdout: stdout!, stderr: stderr! };
    });
    this.#errors = new Capture(child.stderr!, 4096, () => {});
    this.#parentPipe.on('error', () => {}); // the script has ended
    this.#setupTimer = setTimeout(this.kill, SETUP_MS);
    createInterface({ input: child.stdio[STATUS_PIPE] as Readable }).on('line', (line) =>
      this.#onStatus(line),
    );
  }

  get #parentPipe(): Writable {
    return this.#child.stdio[PARENT_PIPE] as Writable;
  }

  /** Has pid 1 end, and so everything in the namespaces; kills it if a program prevents that. */
  readonly kill = (): void => {
    this.#parentPipe.destroy();
    this.#killTimer ??= setTimeout(() => killTree(this.#child), KILL_MS);
  };

  async execute(script: string): Promise<StepOutcome[]> {
    const stdin = this.#child.stdin!;
    stdin.on('error', () => {}); // the script failed before it was read to its end; its status says so
    stdin.end(script);
    const forget = atExit(() => killTree(this.#child));
    try {
      await once(this.#child, 'close');
    } catch (cause) {
      throw sandboxFailed((cause as Error).message, cause);
    } finally {
      forget();
      clearTimeout(this.#setupTimer);
      clearTimeout(this.#killTimer);
      this.#watch?.end();
    }
    // A script that was ended cannot report its program.
    if (this.#watch !== undefined) this.#finish(137);
    if (this.#outcomes.length === 0) {
      throw sandboxFailed(this.#errors.text.trim() || this.#silentReason());
    }
    return this.#outcomes.map((outcome) => ({ ...outcome }));
  }

  /** Why no program was started, if the script and its tools did not say so. */
  #silentReason(): string {
    const { exitCode, signalCode } = this.#child;
    return this.#killTimer === undefined
      ? `its setup ended with ${signalCode ?? `code ${exitCode}`}`
      : 'its setup did not end in time';
  }

  #onStatus(line: string): void {
    const [what, index, code] = line.split(' ');
    if (what === 'start') {
      clearTimeout(this.#setupTimer);
      this.#step = Number(index);
      this.#watch = new LimitWatch(
        this.#child.pid!,
        this.#job.steps[this.#step]!.limits,
        this.kill,
      );
    } else this.#finish(Number(code));
  }

  #finish(exitCode: number): void {
    const watch = this.#watch!;
    const { stdout, stderr } = this.#captures[this.#step]!;
    const { stopped } = watch;
    const milliseconds = watch.end();
    this.#outcomes[this.#step] = {
      exitCode,
      milliseconds,
      stopped,
      // Read at the end, when the streams have been read.
      get stdout() {
        return stdout.text;
      },
      get stderr() {
        return stderr.text;
      },
    };
    this.#watch = undefined;
  }
}

function sandboxFailed(reason: string, cause?: unknown): LlamatuneError {
  return new LlamatuneError(
    'SANDBOX_FAILED',
    `the sandbox could not be started: ${reason.replace(/\s+/g, ' ')}`,
    {
      hint: 'sandboxCapabilities() says what this system supports (docs/verifying.md)',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
