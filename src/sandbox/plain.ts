import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { throwIfAborted } from '../contract/run.js';
import { LlamatuneError } from '../errors.js';
import { atExit } from '../files/at-exit.js';
import { withTemporaryFolder } from '../files/temporary-folder.js';
import { Capture } from './capture.js';
import type { JobRunner, SandboxJob, SandboxStep, StepOutcome } from './job.js';
import { killable, killTree } from './kill.js';
import { LimitWatch } from './limit-watch.js';
import { runningProcesses } from './running-processes.js';
import { ulimits, variables } from './shell.js';

const windows = process.platform === 'win32';

/** Until the output of processes that escaped a kill is not waited for any more. */
const DRAIN_MS = 500;

/** Variables without which programs do not start on Windows. */
const WINDOWS_VARIABLES = ['SystemRoot', 'PATHEXT', 'ComSpec'] as const;

/** Runs a job in a temporary folder with limits on its resources (POSIX), but with the network and the files of the user. */
export const runWithLimits: JobRunner = (job, signal) => runPlain(job, withUlimits, signal);

/** Runs a job in a temporary folder. Only the limits of time, of output and, on Linux, of memory apply. */
export const runUnprotected: JobRunner = (job, signal) => runPlain(job, () => '', signal);

/** Shell commands that set the limits of a step. */
const withUlimits = ({ limits, reservesMemory }: SandboxStep): string =>
  ulimits(
    { ...limits, processes: limits.processes + runningProcesses() },
    // macOS has no limit on the address space.
    { addressSpace: process.platform === 'linux' && reservesMemory !== true },
  );

async function runPlain(
  job: SandboxJob,
  limits: (step: SandboxStep) => string,
  signal: AbortSignal | undefined,
): Promise<StepOutcome[]> {
  throwIfAborted(signal);
  return withTemporaryFolder(async (folder) => {
    const [box, work] = [join(folder, 'box'), join(folder, 'work')];
    for (const each of [box, work]) mkdirSync(each);
    for (const [name, text] of Object.entries(job.files)) writeFileSync(join(box, name), text);
    const outcomes: StepOutcome[] = [];
    for (const [i, step] of job.steps.entries()) {
      const cwd = i === job.steps.length - 1 ? work : box;
      let outcome: StepOutcome | undefined;
      for (const command of step.commands({ box, work })) {
        const child = start(command, limits(step), cwd, job.environment);
        outcome = await follow(child, step, signal);
        if (hasFailed(outcome)) break;
      }
      outcomes.push(outcome!);
      if (hasFailed(outcome!)) break;
    }
    return outcomes;
  });
}

const hasFailed = ({ exitCode, stopped }: StepOutcome): boolean =>
  exitCode !== 0 || stopped !== null;

/**
 * Starts a program. On POSIX a second shell kills the process group when the pipe from this process closes, because this
 * process was killed.
 */
function start(
  command: readonly string[],
  limits: string,
  cwd: string,
  environment: SandboxJob['environment'],
): ChildProcess {
  const script = `{ read -r _ <&3; kill -9 0; } >/dev/null 2>&1 &\n${limits}\nexec 3<&-\nexec "$@"`;
  const [program = '', ...args] = windows ? command : ['/bin/sh', '-c', script, 'sh', ...command];
  const kept = windows ? WINDOWS_VARIABLES : [];
  return spawn(program, args, {
    ...killable,
    cwd,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(kept.map((name) => [name, process.env[name] ?? ''])),
      ...variables(process.env.PATH ?? '', cwd),
      ...(windows ? { TEMP: cwd, TMP: cwd } : {}),
      ...environment,
    },
  });
}

async function follow(
  child: ChildProcess,
  { limits, stdin }: SandboxStep,
  signal: AbortSignal | undefined,
): Promise<StepOutcome> {
  const kill = () => killTree(child);
  const forget = atExit(kill);
  signal?.addEventListener('abort', kill, { once: true });
  child.stdin?.on('error', () => {}); // the program does not read it
  child.stdin?.end(stdin ?? '');
  child.stdio[3]?.on('error', () => {});
  const watch = new LimitWatch(child.pid ?? -1, limits, kill);
  const [stdout, stderr] = [child.stdout!, child.stderr!].map(
    (stream) => new Capture(stream, limits.outputBytes, () => watch.stop('output')),
  );
  try {
    const exitCode = await exitOf(child);
    const milliseconds = watch.end();
    kill(); // what the program left running
    await drained(child);
    throwIfAborted(signal);
    return {
      exitCode,
      milliseconds,
      stopped: watch.stopped,
      stdout: stdout!.text,
      stderr: stderr!.text,
    };
  } finally {
    watch.end();
    forget();
    signal?.removeEventListener('abort', kill);
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
    child.on('error', (cause) =>
      reject(
        new LlamatuneError('SANDBOX_FAILED', `a program could not be started: ${cause.message}`, {
          hint: 'check that it is installed',
          cause,
        }),
      ),
    );
  });
}

/** Waits until the output has been read, unless a process that escaped keeps it open. */
function drained(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      for (const stream of child.stdio) stream?.destroy();
      resolve();
    };
    const timer = setTimeout(finish, DRAIN_MS);
    child.on('close', finish);
    child.stdio[3]?.destroy();
  });
}
