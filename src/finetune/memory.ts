import { freemem } from 'node:os';
import { type FinetuneConfig, type FinetuneOptions, finetuneSchema } from '../config/finetune.js';
import { parseConfig } from '../config/parse.js';
import { native, nativeRun } from '../contract/load.js';
import type { MemoryNeeds, TrainOptions } from '../contract/training.js';
import { LlamatuneError } from '../errors.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import { trainOptions } from './train-options.js';

/** Memory that a training run needs and memory that is available now, in bytes. */
export interface MemoryEstimate extends MemoryNeeds {
  /** Free memory of the devices that hold the model. */
  availableBytes: number;
  /** Whether gradient checkpointing is on, as given or chosen by 'auto'. */
  gradientCheckpointing: boolean;
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
  options: Omit<FinetuneOptions, 'dataset' | 'output'>,
): Promise<MemoryEstimate> {
  const config = parseConfig(
    finetuneSchema,
    { ...options, dataset: [], output: '-' },
    'estimateMemory options',
  );
  return useModel(config.model, { ...config, purpose: 'train' }, async (model) => {
    const measure = measureOf(model, trainOptions(config, model, undefined));
    const [off, on] = [
      await measure({ gradientCheckpointing: false }),
      await measure({ gradientCheckpointing: true }),
    ];
    const availableBytes = await availableMemory(model, config.signal);
    const gradientCheckpointing = chooseCheckpointing(config, off.needed, availableBytes);
    const { needed, ...estimate } = gradientCheckpointing ? on : off;
    return {
      ...estimate,
      availableBytes,
      gradientCheckpointing,
      activationBytesOff: off.activationBytes,
      activationBytesOn: on.activationBytes,
    };
  });
}

/** The memory that a run needs, and the choice of `gradientCheckpointing: 'auto'`. */
export interface MemoryChoice {
  totalBytes: number;
  gradientCheckpointing: boolean;
}

/**
 * Checks that a run fits into memory, and makes the choice of `gradientCheckpointing: 'auto'`.
 *
 * @param availableBytes memory to assume instead of the free memory; for tests.
 * @throws LlamatuneError INSUFFICIENT_MEMORY with the needed and the available memory, and options that would fit.
 */
export async function checkMemory(
  model: LoadedModel,
  config: FinetuneConfig,
  options: TrainOptions,
  availableBytes?: number,
): Promise<MemoryChoice> {
  const available = availableBytes ?? (await availableMemory(model, config.signal));
  const measure = measureOf(model, options);
  const requested = await measure({ gradientCheckpointing: config.gradientCheckpointing === true });
  const gradientCheckpointing = chooseCheckpointing(config, requested.needed, available);
  const estimate =
    gradientCheckpointing && config.gradientCheckpointing === 'auto'
      ? await measure({ gradientCheckpointing })
      : requested;
  if (estimate.needed <= available)
    return { totalBytes: estimate.totalBytes, gradientCheckpointing };
  throw new LlamatuneError(
    'INSUFFICIENT_MEMORY',
    `this run needs about ${size(estimate.needed)} of memory ` +
      `(weights ${size(estimate.weightsBytes)}, trained tensors ${size(estimate.adapterBytes)}, ` +
      `activations ${size(estimate.activationBytes)}${gradientCheckpointing ? ' with gradient checkpointing' : ''}), ` +
      `but only ${size(available)} are available`,
    { hint: await whatFits(config, async (change) => (await measure(change)).needed, available) },
  );
}

type Measured = MemoryNeeds & { needed: number };

function measureOf(model: LoadedModel, options: TrainOptions) {
  return async (change: Partial<TrainOptions>): Promise<Measured> => {
    const estimate = await native((addon) =>
      addon.estimateMemory(model.native, { ...options, ...change }),
    );
    // The system counts the pages of a memory map as available although the weights need them. A copy of the weights, in
    // memory or on a GPU, is already allocated.
    const allocated = model.writable || model.onGpu ? estimate.weightsBytes : 0;
    return { ...estimate, needed: estimate.totalBytes - allocated };
  };
}

/**
 * 'auto' turns gradient checkpointing on above this fraction of the available memory, because the estimate is not
 * exact.
 */
const AUTO_MEMORY_FRACTION = 0.8;

function chooseCheckpointing(
  { gradientCheckpointing }: FinetuneConfig,
  neededWithout: number,
  available: number,
): boolean {
  return gradientCheckpointing === 'auto'
    ? neededWithout > AUTO_MEMORY_FRACTION * available
    : gradientCheckpointing;
}

/** Turns on gradient checkpointing, then reduces the micro-batch, then the sequence length, until the run fits. */
async function whatFits(
  config: FinetuneConfig,
  needs: (change: Partial<TrainOptions>) => Promise<number>,
  available: number,
): Promise<string> {
  let { microBatchSize, sequenceLength } = config;
  const gradientCheckpointing = true;
  const also = config.gradientCheckpointing === false ? 'gradientCheckpointing with ' : '';
  if (config.gradientCheckpointing === false) {
    const bytes = await needs({ gradientCheckpointing });
    if (bytes <= available)
      return `gradientCheckpointing 'auto' or true would fit: about ${size(bytes)}`;
  }
  while (microBatchSize > 1 || sequenceLength > 64) {
    if (microBatchSize > 1) {
      do microBatchSize--;
      while (config.batchSize % microBatchSize !== 0);
    } else sequenceLength = Math.max(64, sequenceLength >> 1);
    const bytes = await needs({ microBatchSize, sequenceLength, gradientCheckpointing });
    if (bytes <= available) {
      return `${also}microBatchSize ${microBatchSize} with sequenceLength ${sequenceLength} would fit: about ${size(bytes)}`;
    }
  }
  return 'no micro-batch or sequence length would fit: use a smaller model, or a quantization with fewer bits';
}

/**
 * Free memory for a run: of the devices of the model, and of this process (with the limits of its container) if all or
 * part of the model is on the CPU.
 */
export async function availableMemory(model: LoadedModel, signal?: AbortSignal): Promise<number> {
  const processMemory = process.availableMemory?.() ?? freemem();
  if (!model.onGpu) return processMemory;
  const devices = await nativeRun(signal, () => model.native.devices());
  return devices.reduce((sum, { memoryFree }) => sum + memoryFree, model.mixed ? processMemory : 0);
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
