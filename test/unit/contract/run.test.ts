import { describe, expect, it } from 'vitest';
import { abortedError, Run } from '../../../src/contract/run.js';

const collect = async <T>(run: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const event of run) all.push(event);
  return all;
};
const pause = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));

/** Work that ends only when it is aborted. */
const untilAborted = ({ signal }: { signal: AbortSignal }) =>
  new Promise<never>((_, reject) => {
    const fail = () => reject(signal.reason);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail);
  });

describe('Run', () => {
  it('delivers events in order, including earlier ones', async () => {
    const run = new Run<number, string>(async ({ emit }) => {
      emit(1);
      await pause();
      emit(2);
      return 'done';
    });
    await run.result;
    expect(await collect(run)).toEqual([1, 2]);
    expect(await run.result).toBe('done');
  });

  it('ends a waiting iteration when the work ends', async () => {
    const run = new Run<number, number>(async () => {
      await pause();
      return 7;
    });
    expect(await collect(run)).toEqual([]);
  });

  it('throws the error of the result from the iterator, after the last event', async () => {
    const failure = new Error('no');
    const run = new Run<number, number>(async ({ emit }) => {
      emit(1);
      throw failure;
    });
    const seen: number[] = [];
    const follow = async () => {
      for await (const event of run) seen.push(event);
    };
    await expect(follow()).rejects.toBe(failure);
    expect(seen).toEqual([1]);
    await expect(run.result).rejects.toBe(failure);
  });

  it('keeps the newest events, counts the dropped ones, and never blocks the work', async () => {
    const run = new Run<number, string>(
      async ({ emit }) => {
        for (let i = 0; i < 100; i++) emit(i);
        return 'done';
      },
      { bufferLimit: 10 },
    );
    await run.result;
    expect(run.droppedEvents).toBe(90);
    expect(await collect(run)).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
  });

  it('causes no unhandled rejection, with or without iterating or awaiting', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const failing = () => new Run<number, number>(async () => Promise.reject(new Error('no')));
    failing();
    await failing().result.catch(() => {});
    await collect(failing()).catch(() => {});
    await pause(20);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('continues after a loop ends early, and can be iterated again', async () => {
    const run = new Run<number, string>(async ({ emit }) => {
      for (let i = 0; i < 5; i++) {
        emit(i);
        await pause(1);
      }
      return 'done';
    });
    for await (const event of run) if (event === 1) break;
    expect(await collect(run)).toEqual([2, 3, 4]);
  });

  it('rejects with ABORTED and the reason of the abort', async () => {
    const run = new Run<number, never>(untilAborted);
    run.abort('enough');
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' });
  });

  it('is aborted by its signal, also if the signal is already aborted', async () => {
    const controller = new AbortController();
    const run = new Run<number, never>(untilAborted, { signal: controller.signal });
    controller.abort('stop');
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED', cause: 'stop' });
    const late = new Run<number, never>(untilAborted, { signal: AbortSignal.abort('before') });
    await expect(late.result).rejects.toMatchObject({ code: 'ABORTED', cause: 'before' });
  });

  it('aborts and waits when disposed', async () => {
    let ended = false;
    const run = new Run<number, never>(async (controls) => {
      try {
        return await untilAborted(controls);
      } finally {
        await pause();
        ended = true;
      }
    });
    await run[Symbol.asyncDispose]();
    expect(ended).toBe(true);
  });

  it('ignores an abort after the end', async () => {
    const run = new Run<number, number>(async () => 1);
    await run.result;
    run.abort();
    expect(await run.result).toBe(1);
  });
});

describe('abortedError', () => {
  it('does not wrap an ABORTED error again', () => {
    const first = abortedError('reason');
    expect(first).toMatchObject({ code: 'ABORTED', cause: 'reason' });
    expect(abortedError(first)).toBe(first);
  });
});
