import type { FinetuneConfig } from '../config/finetune.js';
import type { BatchLayout, TrainPlan } from '../contract/training.js';
import type { LoadedModel } from '../model/loaded-model.js';

/** Tokens of a micro-batch from which on a larger one is hardly faster. */
const ENOUGH_TOKENS = { cpu: 1024, gpu: 4096 };
/** A micro-batch of fewer tokens is slow, so 'auto' turns on gradient checkpointing instead. */
const FEW_TOKENS = 256;

/** The layout of a step's samples: `packing` and `microBatchSize` force one. */
export function batchLayout(
  { packing, microBatchSize }: FinetuneConfig,
  { info }: LoadedModel,
): BatchLayout {
  if (packing === true) return 'packed';
  if (packing === false || microBatchSize !== undefined) return 'padded';
  return info.canPack ? 'padding-free' : 'by-length';
}

/** Whether micro-batches are limited by their tokens, and not by their rows. */
export function hasTokenBudget(layout: BatchLayout): boolean {
  return layout === 'padding-free' || layout === 'by-length';
}

/** The part of a plan that limits micro-batches. */
export type LargestBatches = Pick<TrainPlan, 'longestSample' | 'largestStep' | 'largestMicroBatch'>;

/**
 * Values of microBatchTokens that a run may use, the fastest first. Each holds the longest sample, and none is larger
 * than a step or an evaluation can fill. One value, without meaning, if the layout has no token budget.
 */
export function tokenBudgets(
  config: FinetuneConfig,
  model: LoadedModel,
  { longestSample, largestStep, largestMicroBatch }: LargestBatches,
): number[] {
  const { microBatchTokens = 'auto', sequenceLength } = config;
  if (!hasTokenBudget(batchLayout(config, model))) return [sequenceLength];
  if (microBatchTokens !== 'auto')
    return [Math.max(2, Math.min(microBatchTokens, largestMicroBatch))];
  // The gradient noise scale needs two micro-batches per step.
  const most = config.adaptive?.batch?.enabled === true ? Math.ceil(largestStep / 2) : largestStep;
  const enough = model.onGpu ? ENOUGH_TOKENS.gpu : ENOUGH_TOKENS.cpu;
  const budgets = [Math.max(longestSample, Math.min(enough, most), 2)];
  for (;;) {
    const last = budgets[budgets.length - 1] as number;
    const half = Math.max(longestSample, Math.ceil(last / 2));
    if (half === last || half < FEW_TOKENS) return budgets;
    budgets.push(half);
  }
}
