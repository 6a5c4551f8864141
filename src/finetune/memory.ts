import { freemem } from 'node:os';
import { type FinetuneConfig, type FinetuneOptions, finetuneSchema } from '../config/finetune.js';
import { parseConfig } from '../config/parse.js';
import { native, nativeRun } from '../contract/load.js';
import type { MemoryNeeds, TrainOptions } from '../contract/training.js';
import { LlamatuneError } from '../errors.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import { trainOptions } from './train-options.js';

/** What a training run needs, in bytes, and what this machine has for it now. */
export interface MemoryEstimate extends MemoryNeeds {
  availableBytes: number;
  /** As given, or what 'auto' chooses now. */
  gradientCheckpointing: boolean;
  /** activationBytes with gradientCheckpointing false and true. */
  activationBytesOff: number;
  activationBytesOn: number;
}

/**
 * What fine-tuning a model this way would need; nothing is trained and no dataset is read.
 *
 * @throws LlamatuneError CONFIG_INVALID, UNSUPPORTED_OP, UNSUPPORTED_ARCHITECTURE, TARGET_UNKNOWN, what loading throws.
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

/** The memory that a run needs, and what gradientCheckpointing 'auto' chose. */
export interface MemoryChoice {
  totalBytes: number;
  gradientCheckpointing: boolean;
}

/**
 * Chooses for `gradientCheckpointing: 'auto'`.
 *
 * @throws LlamatuneError INSUFFICIENT_MEMORY, naming what the run needs, what there is and what would fit.
 */
export async function checkMemory(
  model: LoadedModel,
  config: FinetuneConfig,
  options: TrainOptions,
  given?: number,
): Promise<MemoryChoice> {
  const available = given ?? (await availableMemory(model, config.signal));
  const measure = measureOf(model, options);
  const asked = await measure({ gradientCheckpointing: config.gradientCheckpointing === true });
  const gradientCheckpointing = chooseCheckpointing(config, asked.needed, available);
  const estimate =
    gradientCheckpointing && config.gradientCheckpointing === 'auto'
      ? await measure({ gradientCheckpointing })
      : asked;
  if (estimate.needed <= available)
    return { totalBytes: estimate.totalBytes, gradientCheckpointing };
  throw new LlamatuneError(
    'INSUFFICIENT_MEMORY',
    `expected at most ${size(available)} of memory but this run needs about ${size(estimate.needed)} ` +
      `(weights ${size(estimate.weightsBytes)}, trained tensors ${size(estimate.adapterBytes)}, ` +
      `activations ${size(estimate.activationBytes)}${gradientCheckpointing ? ', recomputed' : ''})`,
    { hint: await whatFits(config, async (change) => (await measure(change)).needed, available) },
  );
}

type Measured = MemoryNeeds & { needed: number };

function measureOf(model: LoadedModel, options: TrainOptions) {
  return async (change: Partial<TrainOptions>): Promise<Measured> => {
    const estimate = await native((addon) =>
      addon.estimateMemory(model.native, { ...options, ...change }),
    );
    // A memory map's pages count as available to the system although the weights need them; a copy of them, in memory
    // or on a GPU, is taken already.
    const taken = model.writable || model.onGpu ? estimate.weightsBytes : 0;
    return { ...estimate, needed: estimate.totalBytes - taken };
  };
}

/** The part of the available memory that a run may fill before 'auto' turns to recomputation: an estimate is no promise. */
const COMFORTABLE = 0.8;

function chooseCheckpointing(
  { gradientCheckpointing }: FinetuneConfig,
  neededWithout: number,
  available: number,
): boolean {
  return gradientCheckpointing === 'auto'
    ? neededWithout > COMFORTABLE * available
    : gradientCheckpointing;
}

/** Recomputes activations, then halves the micro-batch, then the sequence length, until the run fits. */
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
  return 'no micro-batch or sequence length of this model would fit: use a smaller or more strongly quantized model';
}

/**
 * Memory that a run may still take: of the model's devices, of this process where all or a part of the model is on the
 * CPU, limits of its container included.
 */
export async function availableMemory(model: LoadedModel, signal?: AbortSignal): Promise<number> {
  const here = process.availableMemory?.() ?? freemem();
  if (!model.onGpu) return here;
  const devices = await nativeRun(signal, () => model.native.devices());
  return devices.reduce((sum, { memoryFree }) => sum + memoryFree, model.mixed ? here : 0);
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
