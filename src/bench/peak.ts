import { z } from 'zod';
import { signal, threads } from '../config/fields.js';
import { parseConfig } from '../config/parse.js';
import type { NativePeak } from '../native/addon-types.js';
import { nativeRun } from '../native/load.js';

const peakSchema = z.strictObject({
  precision: z.enum(['f32', 'bf16']).default('f32').describe('Of the factors; sums are F32.'),
  threads: threads(),
  library: z
    .enum(['fastest', 'ggml'])
    .default('fastest')
    .describe("What multiplies: oneDNN where the build has it, or ggml's own CPU path."),
  signal: signal(),
});

export type MeasurePeakOptions = z.input<typeof peakSchema>;

/** How fast a machine multiplies matrices, in GFLOP/s; the medians are over repetitions of the same product. */
export type Peak = NativePeak;

/**
 * Measures the matrix-product peak of this machine's CPU: bare products of the shapes that training has, operands ready in
 * memory. What training reaches is a part of it. Takes a second or a few.
 *
 * @throws LlamatuneError CONFIG_INVALID, ABORTED, OUT_OF_MEMORY, ADDON_NOT_FOUND.
 */
export async function measurePeak(options: MeasurePeakOptions = {}): Promise<Peak> {
  const { signal, ...native } = parseConfig(peakSchema, options, 'measurePeak options');
  return nativeRun(signal, (addon) => addon.measurePeak(native));
}
