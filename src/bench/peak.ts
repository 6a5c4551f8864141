import { parseConfig } from '../config/parse.js';
import { type MeasurePeakOptions, peakSchema } from '../config/peak.js';
import type { Peak } from '../contract/benchmark.js';
import { nativeRun } from '../contract/load.js';

/**
 * Measures the matrix-product peak of this machine's CPU: bare products in the shapes of training, operands ready in
 * memory. Training reaches a fraction of it. Takes a few seconds.
 *
 * @throws LlamatuneError CONFIG_INVALID, ABORTED, OUT_OF_MEMORY, ADDON_NOT_FOUND.
 */
export async function measurePeak(options: MeasurePeakOptions = {}): Promise<Peak> {
  const { signal, ...config } = parseConfig(peakSchema, options, 'measurePeak options');
  return nativeRun(signal, (addon) => addon.measurePeak(config));
}
