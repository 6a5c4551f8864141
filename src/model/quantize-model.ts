import { parseConfig } from '../config/parse.js';
import { type QuantizeModelOptions, quantizeModelSchema } from '../config/quantize-model.js';
import { native } from '../contract/load.js';

/**
 * Converts the weight matrices of a model to another type, like llama.cpp's llama-quantize.
 *
 * @throws LlamatuneError CONFIG_INVALID, MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_TRUNCATED, OUTPUT_NOT_WRITABLE,
 * QUANTIZE_FAILED.
 */
export async function quantizeModel(options: QuantizeModelOptions): Promise<void> {
  const config = parseConfig(quantizeModelSchema, options, 'quantizeModel options');
  await native((addon) => addon.quantizeModel(config));
}
