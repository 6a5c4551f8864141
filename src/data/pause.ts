import { setImmediate } from 'node:timers/promises';
import { LlamatuneError } from '../errors.js';

/** Long enough for efficient work, short enough not to delay timers and sockets. */
const SLICE_MS = 5;

/**
 * Makes a long loop yield to the event loop: await the returned function in every iteration. It yields every few
 * milliseconds.
 *
 * @throws LlamatuneError ABORTED, from the returned function.
 */
export function pacer(signal: AbortSignal | undefined): () => Promise<void> | undefined {
  let sliceStart = performance.now();
  const pause = async (): Promise<void> => {
    await setImmediate();
    sliceStart = performance.now();
    throwIfAborted(signal);
  };
  return () => {
    throwIfAborted(signal);
    return performance.now() - sliceStart < SLICE_MS ? undefined : pause();
  };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  // Run aborts with the error that its caller should see.
  if (signal.reason instanceof LlamatuneError) throw signal.reason;
  throw new LlamatuneError('ABORTED', 'the preparation of the dataset was aborted', {
    hint: 'nothing was written; start it again',
    cause: signal.reason,
  });
}
