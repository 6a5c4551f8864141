import { getEventListeners } from 'node:events';
import { exitCodeOfSignal } from './failure.js';

/** Signals that end the process. On Windows a process cannot handle SIGTERM or SIGHUP; it has SIGBREAK instead. */
const endingSignals: NodeJS.Signals[] =
  process.platform === 'win32' ? ['SIGINT', 'SIGBREAK'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * The first signal ends the run cleanly, within one step: it aborts the returned AbortSignal, with the name as reason. A
 * second signal exits immediately, and so does the first if nothing listens for the abort.
 */
export function endOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of endingSignals) {
    process.on(name, () => {
      const isFirst = !controller.signal.aborted;
      if (isFirst && getEventListeners(controller.signal, 'abort').length > 0) {
        controller.abort(name);
        return;
      }
      // Show the cursor, which the progress bar hides.
      if (process.stdout.isTTY) process.stdout.write('\u001b[?25h');
      process.exit(exitCodeOfSignal(name));
    });
  }
  return controller.signal;
}

/** Error codes of a closed pipe or socket (also on Windows) and of a closed terminal. */
const closedCodes = new Set(['EPIPE', 'EOF', 'ECONNRESET', 'EIO', 'ERR_STREAM_DESTROYED']);

/** Resolves once everything written to the stream so far is out, or has failed. */
export function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => setImmediate(resolve)));
}

/**
 * Handles errors of an output stream, which would end the process and lose the work of a run. `closed` is aborted when
 * the stream is closed; `failure()` returns any other reason why output was lost, such as a full disk.
 */
export function watchOutput(stream: NodeJS.WriteStream): {
  closed: AbortSignal;
  failure(): string | undefined;
} {
  const closed = new AbortController();
  let failure: string | undefined;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (closedCodes.has(error.code ?? '')) closed.abort();
    else failure ??= `output was lost: ${error.message}`;
  });
  return { closed: closed.signal, failure: () => failure };
}
