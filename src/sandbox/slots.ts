import { availableParallelism } from 'node:os';
import { abortedError, throwIfAborted } from '../contract/run.js';

/** Jobs that wait, first come first served. */
const waiting: (() => void)[] = [];
let free = availableParallelism();

/**
 * Runs `work` when fewer jobs run than the machine has CPUs.
 *
 * @throws LlamatuneError ABORTED while it waits
 */
export async function withSlot<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  throwIfAborted(signal);
  if (free > 0) free--;
  else await nextSlot(signal);
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}

function nextSlot(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const start = () => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    const leave = () => {
      waiting.splice(waiting.indexOf(start), 1);
      reject(abortedError(signal?.reason));
    };
    waiting.push(start);
    signal?.addEventListener('abort', leave, { once: true });
  });
}
