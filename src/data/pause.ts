import { setImmediate } from 'node:timers/promises';
import { LlamatuneError } from '../errors.js';

/** Long enough to get work done, short enough for timers and sockets not to notice. */
const SLICE_MS = 5;

/**
 * Lets a long loop share the event loop: call it once a turn. It gives way every few milliseconds.
 *
 * @throws LlamatuneError ABORTED (by the function that is returned)
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
  throw new LlamatuneError('ABORTED', 'expected to finish the dataset but received an abort', {
    cause: signal.reason,
  });
}
