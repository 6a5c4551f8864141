import type { Reading } from '../../../src/hardware/reading.js';
import type { SourceControls } from '../../../src/hardware/source.js';

/** Controls that keep the readings of a source, which reads every 10 ms until stop(). */
export function recorder(): SourceControls & { readings: Reading[]; stop: () => void } {
  const controller = new AbortController();
  const readings: Reading[] = [];
  return {
    readings,
    onReadings: (found) => readings.push(...found),
    signal: controller.signal,
    intervalMs: 10,
    stop: () => controller.abort(),
  };
}

/** Resolves when `condition` holds; the test's time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
