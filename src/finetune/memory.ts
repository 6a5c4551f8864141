import { type FinetuneConfig, type FinetuneInput, finetuneSchema } from '../config/finetune.js';
import { parseConfig } from '../config/parse.js';
import { native } from '../contract/load.js';
import type { BatchLayout, MemoryNeeds, TrainOptions } from '../contract/training.js';
import { LlamatuneError } from '../errors.js';
import * as format from '../format.js';
import { availableMemory } from '../model/available-memory.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import { batchLayout, hasTokenBudget, type LargestBatches, tokenBudgets } from './layout.js';
import { trainOptions } from './train-options.js';

/** Memory that a training run needs and memory that is available now, in bytes. */
export interface MemoryEstimate extends MemoryNeeds {
  /** Free memory of the devices that hold the model. */
  availableBytes: number;
  /** Whether gradient checkpointing is on, as given or chosen by 'auto'. */
  gradientCheckpointing: boolean;
  /** Whether frozen weights are kept in the layout of matrix products, as given or chosen by 'auto'. */
  weightCache: boolean;
  /** Tokens of a micro-batch, as given or chosen by 'auto'; null with `packing` or `microBatchSize`. */
  microBatchTokens: number | null;
  /** activationBytes without gradient checkpointing. */
  activationBytesOff: number;
  /** activationBytes with gradient checkpointing. */
  activationBytesOn: number;
}

/**
 * Estimates the memory that fine-tuning with these options needs. Loads the model, but trains nothing and reads no dataset.
 *
 * @throws LlamatuneError CONFIG_INVALID, UNSUPPORTED_OP, UNSUPPORTED_ARCHITECTURE, TARGET_UNKNOWN, and the errors of
 * loadModel().
 */
export async function estimateMemory(
  options: Omit<FinetuneInput, 'dataset' | 'output'>,
): Promise<MemoryEstimate> {
  const config = parseConfig(
    finetuneSchema,
    { ...options, dataset: [], output: '-' },
    'estimateMemory options',
  );
  const load = { ...config, purpose: 'train', writable: config.mode === 'full' } as const;
  return useModel(config.model, load, async (model) => {
    const measure = measureOf(model, trainOptions(config, model, undefined));
    const availableBytes = await availableMemory(model, config.signal);
    const { sequenceLength, batchSize } = config;
    // without a dataset, every sample might have this length
    const largest = batchSize * sequenceLength;
    const plan = {
      longestSample: sequenceLength,
      largestStep: largest,
      largestMicroBatch: largest,
    };
    const { choice, estimate } = await choose(model, config, plan, measure, availableBytes);
    const { microBatchTokens, gradientCheckpointing, weightCache } = choice;
    const other = await measure({ ...choice, gradientCheckpointing: !gradientCheckpointing });
    const [off, on] = gradientCheckpointing ? [other, estimate] : [estimate, other];
    const { needed, ...needs } = estimate;
    return {
      ...needs,
      availableBytes,
      gradientCheckpointing,
      weightCache,
      microBatchTokens: hasTokenBudget(batchLayout(config, model)) ? microBatchTokens : null,
      activationBytesOff: off.activationBytes,
      activationBytesOn: on.activationBytes,
    };
  });
}

/** The memory that a run needs, and the values that 'auto' stands for. */
export interface MemoryChoice extends Choice {
  totalBytes: number;
  /** The part of it that is not in use yet. */
  neededBytes: number;
}

/**
 * Checks that a run fits into memory, and chooses the values of `microBatchTokens: 'auto'` and
 * `gradientCheckpointing: 'auto'`: first smaller micro-batches, which cost little time, then gradient checkpointing.
 * `weightCache: 'auto'` uses memory that is left.
 *
 * @param plan of the run.
 * @param availableBytes memory to assume instead of the free memory; for tests.
 * @throws LlamatuneError INSUFFICIENT_MEMORY with the needed and the available memory, and options that would fit.
 */
export async function checkMemory(
  model: LoadedModel,
  config: FinetuneConfig,
  options: TrainOptions,
  plan: LargestBatches,
  availableBytes?: number,
): Promise<MemoryChoice> {
  const available = availableBytes ?? (await availableMemory(model, config.signal));
  const measure = measureOf(model, options);
  const { choice, estimate } = await choose(model, config, plan, measure, available);
  if (estimate.needed <= available) {
    return { totalBytes: estimate.totalBytes, neededBytes: estimate.needed, ...choice };
  }
  const layout = batchLayout(config, model);
  throw await insufficientMemory(config, { layout, estimate, choice, measure, available });
}

type Measured = MemoryNeeds & { needed: number };
type Measure = (change: Partial<TrainOptions>) => Promise<Measured>;

function measureOf(model: LoadedModel, options: TrainOptions): Measure {
  return async (change) => {
    const estimate = await native((addon) =>
      addon.estimateMemory(model.native, { ...options, ...change }),
    );
    // The available memory is what other processes and this one leave. The system counts the pages of a memory map as
    // available although the weights need them. A copy of the weights, in memory or on a GPU, is already allocated.
    const allocated = model.writable || model.onGpu ? estimate.weightsBytes : 0;
    return { ...estimate, needed: estimate.totalBytes - estimate.processBytes - allocated };
  };
}

/** A choice of 'auto' may use this fraction of the available memory, because the estimate is not exact. */
const AUTO_MEMORY_FRACTION = 0.8;
/** The same with kept weights, which only save time: the rest stays for other programs and later runs. */
const AUTO_CACHE_FRACTION = 0.5;

type Choice = Pick<TrainOptions, 'microBatchTokens' | 'gradientCheckpointing' | 'weightCache'>;

/** The combinations that 'auto' stands for, in the order of preference. */
function choicesOf(
  { gradientCheckpointing, weightCache }: FinetuneConfig,
  { onGpu }: LoadedModel,
  budgets: number[],
): Choice[] {
  const modes = gradientCheckpointing === 'auto' ? [false, true] : [gradientCheckpointing];
  return modes.flatMap((mode) =>
    budgets.map((microBatchTokens) => ({
      microBatchTokens,
      gradientCheckpointing: mode,
      weightCache: weightCache !== false && !onGpu,
    })),
  );
}

/** The estimate of the same run without kept weights. */
const withoutCache = (estimate: Measured): Measured => ({
  ...estimate,
  weightCacheBytes: 0,
  totalBytes: estimate.totalBytes - estimate.weightCacheBytes,
  needed: estimate.needed - estimate.weightCacheBytes,
});

/** The first choice that certainly fits; otherwise the last one, which needs least. */
async function choose(
  model: LoadedModel,
  config: FinetuneConfig,
  plan: LargestBatches,
  measure: Measure,
  available: number,
): Promise<{ choice: Choice; estimate: Measured }> {
  const choices = choicesOf(config, model, tokenBudgets(config, model, plan));
  let last: { choice: Choice; estimate: Measured } | undefined;
  for (const choice of choices) {
    const kept = await measure(choice);
    const keeps =
      kept.weightCacheBytes > 0 &&
      (config.weightCache === true || kept.needed <= AUTO_CACHE_FRACTION * available);
    const estimate = keeps ? kept : withoutCache(kept);
    last = { choice: { ...choice, weightCache: keeps }, estimate };
    if (estimate.needed <= AUTO_MEMORY_FRACTION * available) break;
  }
  return last as { choice: Choice; estimate: Measured };
}

interface Shortage {
  layout: BatchLayout;
  estimate: Measured;
  choice: Choice;
  measure: Measure;
  available: number;
}

async function insufficientMemory(
  config: FinetuneConfig,
  shortage: Shortage,
): Promise<LlamatuneError> {
  const { estimate, choice, available } = shortage;
  return new LlamatuneError(
    'INSUFFICIENT_MEMORY',
    `this run needs about ${format.bytes(estimate.needed)} of memory ` +
      `(weights ${format.bytes(estimate.weightsBytes)}, trained tensors ${format.bytes(estimate.adapterBytes + estimate.optimizerBytes)}, ` +
      `activations ${format.bytes(estimate.activationBytes)}${choice.gradientCheckpointing ? ' with gradient checkpointing' : ''}` +
      `${choice.weightCache ? `, weight cache ${format.bytes(estimate.weightCacheBytes)}` : ''}), ` +
      `but only ${format.bytes(available)} are available`,
    { hint: await whatFits(config, shortage) },
  );
}

/** Turns off the weight cache, turns on gradient checkpointing, then reduces the micro-batch and the sequence length, until the run fits. */
async function whatFits(
  config: FinetuneConfig,
  { layout, choice, measure, available }: Shortage,
): Promise<string> {
  const needs = async (change: Partial<TrainOptions>) =>
    (await measure({ ...change, weightCache: false })).needed;
  const gradientCheckpointing = true;
  const withoutCache = choice.weightCache ? "weightCache 'auto' with " : '';
  const also = `${withoutCache}${choice.gradientCheckpointing ? '' : 'gradientCheckpointing with '}`;
  if (choice.weightCache) {
    const bytes = await needs(choice);
    if (bytes <= available)
      return `weightCache 'auto' or false would fit: about ${format.bytes(bytes)}`;
  }
  if (!choice.gradientCheckpointing) {
    const bytes = await needs({ ...choice, gradientCheckpointing });
    if (bytes <= available)
      return `${withoutCache}gradientCheckpointing 'auto' or true would fit: about ${format.bytes(bytes)}`;
  }
  for (const change of smallerBatches(config, layout, choice)) {
    const bytes = await needs({ ...change, gradientCheckpointing });
    const given = Object.entries(change).map(([name, value]) => `${name} ${value}`);
    if (bytes <= available)
      return `${also}${given.join(' with ')} would fit: about ${format.bytes(bytes)}`;
  }
  return 'no micro-batch or sequence length would fit: use a smaller model, or a quantization with fewer bits';
}

/** Ever smaller micro-batches, as changes of the options. */
function* smallerBatches(
  config: FinetuneConfig,
  layout: BatchLayout,
  { microBatchTokens }: Choice,
): Generator<
  Partial<Pick<TrainOptions, 'microBatchTokens' | 'microBatchSize' | 'sequenceLength'>>
> {
  let { microBatchSize = 1, sequenceLength } = config;
  if (hasTokenBudget(layout)) {
    // a micro-batch must hold the longest sample
    for (let tokens = microBatchTokens >> 1; tokens >= 64; tokens >>= 1) {
      yield tokens >= sequenceLength
        ? { microBatchTokens: tokens }
        : { microBatchTokens: tokens, sequenceLength: tokens };
    }
    return;
  }
  while (microBatchSize > 1 || sequenceLength > 64) {
    if (microBatchSize > 1) {
      do microBatchSize--;
      while (config.batchSize % microBatchSize !== 0);
    } else sequenceLength = Math.max(64, sequenceLength >> 1);
    yield { microBatchSize, sequenceLength };
  }
}
