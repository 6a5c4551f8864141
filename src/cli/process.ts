import { getEventListeners } from 'node:events';
import { exitCodeOfSignal } from './failure.js';

/** What asks a process to end. Windows has no SIGHUP and SIGTERM that a process could answer, but SIGBREAK. */
const endingSignals: NodeJS.Signals[] =
  process.platform === 'win32' ? ['SIGINT', 'SIGBREAK'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * The first signal ends the run cleanly, within one step: the returned signal is aborted, with the name as reason. A
 * second one does not wait, and neither does the first if nothing listens that could end cleanly.
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
      // The progress bar had hidden the cursor.
      if (process.stdout.isTTY) process.stdout.write('\u001b[?25h');
      process.exit(exitCodeOfSignal(name));
    });
  }
  return controller.signal;
}

/** How a reader that is gone shows: a closed pipe or socket, on Windows too, or a terminal that was closed. */
const closedCodes = new Set(['EPIPE', 'EOF', 'ECONNRESET', 'EIO', 'ERR_STREAM_DESTROYED']);

/**
 * Keeps errors of an output stream from ending the process: a run must not lose its work because nobody reads about it.
 * `closed` is aborted once the reader is gone; `failure()` is any other reason why output was lost, such as a full disk.
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
