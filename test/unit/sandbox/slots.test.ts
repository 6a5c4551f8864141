import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { withSlot } from '../../../src/sandbox/slots.js';

describe('withSlot', () => {
  it('runs as many jobs at a time as there are CPUs, in order', async () => {
    let running = 0;
    let most = 0;
    const started: number[] = [];
    const job = (i: number) => async () => {
      started.push(i);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      if (i === 3) throw new Error('failed'); // its slot is free again
    };
    const jobs = Array.from({ length: 4 * availableParallelism() + 4 }, (_, i) => i);
    await Promise.allSettled(jobs.map((i) => withSlot(job(i), undefined)));
    expect(most).toBe(availableParallelism());
    expect(started).toEqual(jobs);
  });

  it('leaves the queue when the caller aborts', async () => {
    let end = () => {};
    const blocked = new Promise<void>((resolve) => {
      end = resolve;
    });
    const busy = Array.from({ length: availableParallelism() }, () =>
      withSlot(() => blocked, undefined),
    );
    const abort = new AbortController();
    const waiting = withSlot(async () => 'ran', abort.signal);
    const next = withSlot(async () => 'ran', undefined);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
    end();
    expect(await next).toBe('ran');
    await Promise.all(busy);
    await expect(withSlot(async () => 'ran', abort.signal)).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });
});
