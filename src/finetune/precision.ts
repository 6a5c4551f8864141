import type { FinetuneConfig } from '../config/finetune.js';
import type { TrainOptions } from '../contract/training.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { systemInfo } from '../model/system-info.js';

/** Below this embedding length matmuls are a small part of a step, so bf16 saves little time. */
const MIN_BF16_WIDTH = 512;

/**
 * Resolves `precision`. 'auto' is bf16 for an adapter of a model with embeddings of at least 512 if its devices have bfloat16
 * units: the weights are frozen, and usually already rounded by quantization. Full fine-tuning uses f32.
 *
 * @throws LlamatuneError ADDON_NOT_FOUND.
 */
export function choosePrecision(
  { precision, mode }: Pick<FinetuneConfig, 'precision' | 'mode'>,
  model: LoadedModel,
): TrainOptions['precision'] {
  if (precision !== 'auto') return precision;
  const useful = mode === 'lora' && model.info.embeddingLength >= MIN_BF16_WIDTH;
  const fast = model.onGpu ? model.fastBf16 : systemInfo().cpuAccelerator?.fastBf16 === true;
  return useful && fast ? 'bf16' : 'f32';
}
