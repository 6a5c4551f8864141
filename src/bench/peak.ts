import { parseConfig } from '../config/parse.js';
import { type MeasurePeakOptions, peakSchema } from '../config/peak.js';
import type { Peak } from '../contract/benchmark.js';
import { nativeRun } from '../contract/load.js';

/**
 * Measures the peak matmul speed of this CPU in GFLOP/s, for the matrix shapes of training with operands in main memory.
 * Training reaches a fraction of it. Takes a few seconds. Options and defaults: docs/configuration.md.
 *
 * @throws LlamatuneError CONFIG_INVALID, ABORTED, OUT_OF_MEMORY, ADDON_NOT_FOUND.
 */
export async function measurePeak(options: MeasurePeakOptions = {}): Promise<Peak> {
  const { signal, ...config } = parseConfig(peakSchema, options, 'measurePeak options');
  return nativeRun(signal, (addon) => addon.measurePeak(config));
}
