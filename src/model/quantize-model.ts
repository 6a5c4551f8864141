import { parseConfig } from '../config/parse.js';
import { type QuantizeModelOptions, quantizeModelSchema } from '../config/quantize-model.js';
import { native } from '../contract/load.js';
import { useFiles } from '../files/lock.js';

/**
 * Converts the weight matrices of a model to another type, like llama.cpp's llama-quantize.
 *
 * @throws LlamatuneError CONFIG_INVALID, MODEL_NOT_FOUND, NOT_A_GGUF, MODEL_TRUNCATED, OUTPUT_CONFLICT, OUTPUT_IN_USE,
 * OUTPUT_NOT_WRITABLE, QUANTIZE_FAILED.
 */
export async function quantizeModel(options: QuantizeModelOptions): Promise<void> {
  const config = parseConfig(quantizeModelSchema, options, 'quantizeModel options');
  const outputs = [{ field: 'output', path: config.output, kind: 'file' }] as const;
  const inputs = [{ field: 'input', path: config.input, kind: 'model' }] as const;
  await useFiles({ inputs, outputs }, () => native((addon) => addon.quantizeModel(config)));
}
