import { z } from 'zod';
import { path, threads } from './fields.js';

/** Schema of the options of `quantizeModel()`. */
export const quantizeModelSchema = z.strictObject({
  input: path('GGUF file to read.'),
  output: path('GGUF file to write.'),
  type: z
    .string()
    .min(1)
    .default('Q8_0')
    .describe("Type of the weight matrices, e.g. 'Q8_0', 'Q4_K_M', 'F16'."),
  threads: threads(),
});

/** Options of `quantizeModel()`. Each option is documented in docs/configuration.md. */
export type QuantizeModelOptions = z.input<typeof quantizeModelSchema>;
/** The same with every default filled in. */
export type QuantizeModelConfig = z.output<typeof quantizeModelSchema>;
