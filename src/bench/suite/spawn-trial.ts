import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { throwIfAborted } from '../../contract/run.js';
import type { Outcome, TrialResult } from './results.js';
import type { Measurement, OnProgress, TrialMessage, TrialRequest } from './trial.js';

/** How a trial ended. */
export interface TrialEnd {
  outcome: Outcome;
  /** null unless the outcome is 'ok'. */
  measurement: Measurement | null;
  noise: TrialResult['noise'];
  /** What the process wrote to standard error: its raw measurements and messages of libraries. */
  log: string;
}

/** Characters of a log that are kept, from its end. */
const LOG_LENGTH = 2_000_000;

/** Error codes of a run that did not fit into memory. */
const MEMORY_CODES = new Set(['OUT_OF_MEMORY', 'INSUFFICIENT_MEMORY']);

/**
 * Runs a trial in a separate process: peak memory counts from the start of a process, and a crash must not end the suite.
 *
 * @throws LlamatuneError ABORTED; a trial that fails, runs too long or needs too much memory is an outcome
 */
export async function spawnTrial(
  request: TrialRequest,
  controls: {
    minutes: number;
    signal: AbortSignal;
    onProgress: OnProgress;
    onStart: (pid: number) => void;
  },
): Promise<TrialEnd> {
  const { signal, minutes } = controls;
  const child = start();
  const log = tailOf(child);
  const sent: { last?: TrialMessage } = {};
  let timedOut = false;
  const kill = () => child.kill('SIGKILL');
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, minutes * 60_000);
  signal.addEventListener('abort', kill, { once: true });
  try {
    const ended = new Promise<Ending>((resolve) => {
      child.once('error', ({ message }) => resolve({ reason: message, killed: false }));
      child.once('close', (code, by) =>
        resolve({ reason: by ?? `code ${code}`, killed: by !== null }),
      );
    });
    child.on('message', (message: TrialMessage) => {
      if (message.type === 'progress') controls.onProgress(message.done, message.of);
      else sent.last = message;
    });
    if (child.pid !== undefined) controls.onStart(child.pid);
    if (signal.aborted) kill();
    else child.send(request);
    const ending = await ended;
    throwIfAborted(signal);
    const message = `the trial took longer than ${minutes} min`;
    const outcome: Outcome = timedOut
      ? { status: 'timeout', message }
      : outcomeOf(sent.last, ending);
    const result = outcome.status === 'ok' && sent.last?.type === 'result' ? sent.last : null;
    return {
      outcome,
      measurement: result?.measurement ?? null,
      noise: result?.noise ?? null,
      log: log(),
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

interface Ending {
  /** A signal, an exit code or an error, in words. */
  reason: string;
  killed: boolean;
}

function start(): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return fork(fileURLToPath(new URL('./trial-process.js', import.meta.url)), [], {
    // Makes Electron's executable behave as Node.js; Node.js itself ignores it.
    env: { ...env, ELECTRON_RUN_AS_NODE: '1' },
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

function tailOf(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-LOG_LENGTH);
  });
  return () => text;
}

function outcomeOf(last: TrialMessage | undefined, { reason, killed }: Ending): Outcome {
  if (last?.type === 'result') return { status: 'ok' };
  if (last?.type === 'oom') return { status: 'oom', message: last.message };
  if (last?.type === 'error') {
    const { code, message } = last;
    return MEMORY_CODES.has(code)
      ? { status: 'oom', message }
      : { status: 'failed', code, message };
  }
  const advice =
    reason === 'SIGKILL' ? ', which a system without free memory also does to a process' : '';
  return {
    status: 'failed',
    code: killed ? reason : 'ENDED',
    message: `the process of the trial ended with ${reason}${advice}`,
  };
}
