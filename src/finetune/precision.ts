import type { FinetuneConfig } from '../config/finetune.js';
import type { TrainOptions } from '../contract/training.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { systemInfo } from '../model/system-info.js';

/** Below this width products are a small part of a step, and rounding them buys nothing. */
const LEAST_WIDTH = 512;

/**
 * What `precision` means here. 'auto' is bf16 for an adapter of a model at least 512 wide where the CPU has units for it:
 * the weights it multiplies with are frozen, and rounded by their own type as a rule. Trained weights are multiplied as
 * they are.
 *
 * @throws LlamatuneError ADDON_NOT_FOUND.
 */
export function choosePrecision(
  { precision, mode }: Pick<FinetuneConfig, 'precision' | 'mode'>,
  model: LoadedModel,
): TrainOptions['precision'] {
  if (precision !== 'auto') return precision;
  const pays = mode === 'lora' && model.info.embeddingLength >= LEAST_WIDTH && !model.onGpu;
  return pays && systemInfo().cpuAccelerator?.fastBf16 ? 'bf16' : 'f32';
}
