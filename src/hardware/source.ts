import { setTimeout as wait } from 'node:timers/promises';
import type { Reading } from './reading.js';

/** What an open source needs. */
export interface SourceControls {
  /** Receives the readings of all devices of the source, several times per second at most. */
  onReadings: (readings: Reading[]) => void;
  /** Stops the source and ends its processes. */
  signal: AbortSignal;
  /** Wanted time between two readings; a source that is slower to read takes longer. */
  intervalMs: number;
}

/** A tool or an interface of the system that measures something. */
export interface HardwareSource {
  name: string;
  /**
   * Starts measuring and resolves after the first readings, or to null if this machine does not have the source.
   *
   * @returns resolves to `ended`, which settles when the source has stopped and all of its processes have ended
   * @throws Error whose message says why the source cannot be used
   */
  open: (controls: SourceControls) => Promise<{ ended: Promise<void> } | null>;
}

/** Reads all devices of a source; `signal` ends processes that it has started. */
type ReadDevices = (signal: AbortSignal) => Promise<Reading[]>;

/** Failures in a row after which a source is not read any more. */
const FAILURES = 3;

/**
 * A source that is read again and again.
 *
 * @param prepare returns the function that reads all devices, or null if this machine does not have the source
 * @param slowestMs time between two readings, if the source should not be read as often as asked for
 */
export function polledSource(
  name: string,
  prepare: (signal: AbortSignal) => Promise<ReadDevices | null>,
  slowestMs = 0,
): HardwareSource {
  return {
    name,
    open: async ({ onReadings, signal, intervalMs }) => {
      const read = await prepare(signal);
      if (read === null) return null;
      onReadings(await read(signal));
      const ended = poll(read, onReadings, signal, Math.max(intervalMs, slowestMs));
      return { ended };
    },
  };
}

async function poll(
  read: ReadDevices,
  onReadings: SourceControls['onReadings'],
  signal: AbortSignal,
  intervalMs: number,
): Promise<void> {
  for (let failures = 0; failures < FAILURES; ) {
    try {
      await wait(intervalMs, undefined, { signal, ref: false });
    } catch {
      return; // stopped
    }
    try {
      onReadings(await read(signal));
      failures = 0;
    } catch {
      failures += 1;
    }
  }
}
