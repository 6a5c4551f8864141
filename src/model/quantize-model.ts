import { z } from 'zod';
import { parseConfig } from '../config/parse.js';
import { native } from '../native/load.js';

const quantizeSchema = z.strictObject({
  input: z.string().min(1).describe('GGUF file to read.'),
  output: z.string().min(1).describe('GGUF file to write.'),
  type: z
    .string()
    .min(1)
    .default('Q8_0')
    .describe("Type of the matrices, e.g. 'Q8_0', 'Q4_K_M', 'F16'."),
  threads: z.int().min(0).default(0).describe('Threads; 0: one for each physical core.'),
});

export type QuantizeModelOptions = z.input<typeof quantizeSchema>;

/**
 * Writes a model with its matrices in another type, as llama.cpp's quantize tool does.
 *
 * @throws LlamatuneError CONFIG_INVALID, MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_TRUNCATED, OUTPUT_NOT_WRITABLE,
 * QUANTIZE_FAILED.
 */
export async function quantizeModel(options: QuantizeModelOptions): Promise<void> {
  const config = parseConfig(quantizeSchema, options, 'quantizeModel options');
  await native((addon) =>
    addon.quantizeModel(config.input, config.output, config.type, config.threads),
  );
}
