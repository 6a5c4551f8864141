import { z } from 'zod';
import { signal, threads } from './fields.js';

/** Schema of the options of `measurePeak()`. */
export const peakSchema = z.strictObject({
  precision: z
    .enum(['f32', 'bf16'])
    .default('f32')
    .describe('Precision of the factors; sums are always F32.'),
  threads: threads(),
  library: z
    .enum(['fastest', 'ggml'])
    .default('fastest')
    .describe("Matmul library: oneDNN if the build has it ('fastest'), or ggml's own CPU code."),
  signal: signal(),
});

/** Options of `measurePeak()`. Each option is documented in docs/configuration.md. */
export type MeasurePeakOptions = z.input<typeof peakSchema>;
/** The same with every default filled in. */
export type PeakConfig = z.output<typeof peakSchema>;
