import { parseConfig } from '../config/parse.js';
import { type MeasurePeakOptions, peakSchema } from '../config/peak.js';
import type { Peak } from '../contract/benchmark.js';
import { nativeRun } from '../contract/load.js';

/**
 * Measures the peak speed of matrix products on this CPU, with the shapes of training and operands in memory. Training
 * reaches a fraction of it. Takes a few seconds.
 *
 * @throws LlamatuneError CONFIG_INVALID, ABORTED, OUT_OF_MEMORY, ADDON_NOT_FOUND.
 */
export async function measurePeak(options: MeasurePeakOptions = {}): Promise<Peak> {
  const { signal, ...config } = parseConfig(peakSchema, options, 'measurePeak options');
  return nativeRun(signal, (addon) => addon.measurePeak(config));
}
