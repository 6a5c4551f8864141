import { describe, expect, it } from 'vitest';
import type { FinetuneEvent } from '../../../src/finetune/events.js';
import { trackersOf } from '../../../src/track/trackers.js';
import { events } from './events.js';

function collect(onEvent: (event: FinetuneEvent) => void | Promise<void>) {
  const warnings: FinetuneEvent[] = [];
  return { warnings, trackers: trackersOf({ onEvent }, (event) => warnings.push(event)) };
}

describe('trackersOf', () => {
  it('passes every event to onEvent, in order', () => {
    const seen: FinetuneEvent[] = [];
    const { trackers, warnings } = collect((event) => void seen.push(event));
    for (const event of events) trackers.write(event);
    trackers.close();
    expect(seen).toEqual(events);
    expect(warnings).toEqual([]);
  });

  it('does not call a tracker again that failed, and warns once', async () => {
    for (const fail of [
      () => {
        throw new Error('no network');
      },
      () => Promise.reject(new Error('no network')),
    ]) {
      let calls = 0;
      const { trackers, warnings } = collect(() => {
        calls += 1;
        return fail();
      });
      trackers.write(events[0]!);
      await Promise.resolve();
      trackers.write(events[1]!);
      expect(calls).toBe(1);
      const message = 'onEvent failed: no network; the run continues without it';
      expect(warnings).toEqual([{ type: 'warning', code: 'EVENT_SINK_FAILED', message }]);
      const done = { type: 'done', result: { warnings: [] as unknown[] } };
      trackers.write(done as unknown as FinetuneEvent);
      expect(done.result.warnings).toEqual([{ code: 'EVENT_SINK_FAILED', message }]);
    }
  });

  it('describes whatever a tracker throws', () => {
    const { trackers, warnings } = collect(() => {
      throw Object.create(null);
    });
    trackers.write(events[0]!);
    expect(warnings).toMatchObject([{ code: 'EVENT_SINK_FAILED' }]);
  });
});
