import type { GenerateConfig } from '../config/generate.js';
import type { GenerateOptions, SequenceOutcome } from '../contract/generation.js';
import { LlamatuneError } from '../errors.js';
import { availableMemory } from '../model/available-memory.js';
import type { LoadedModel } from '../model/loaded-model.js';

/** Sequences that are decoded together by default: more are hardly faster, and each needs its part of the cache. */
const MOST_PARALLEL = { cpu: 16, gpu: 32 };
/** Fraction of the available memory that the caches of sequences may take by default. */
const MEMORY_FRACTION = 0.5;

/** The options of the addon for this number of sequences (Infinity if it is not known). */
export async function engineOptions(
  model: LoadedModel,
  config: GenerateConfig,
  sequences: number,
): Promise<GenerateOptions> {
  const most = model.onGpu ? MOST_PARALLEL.gpu : MOST_PARALLEL.cpu;
  const parallel = Math.min(config.parallel ?? most, sequences);
  const isLimited = config.parallel === undefined && parallel > 1;
  return {
    ...config,
    contextLength: config.contextLength ?? 0,
    batchSize: 512,
    samples: config.n ?? 1,
    parallel,
    memoryLimit: isLimited
      ? Math.ceil(MEMORY_FRACTION * (await availableMemory(model, config.signal))) + 1
      : 0,
  };
}

/** The error of a sequence that failed, otherwise null. */
export function errorOf({ error }: SequenceOutcome): LlamatuneError | null {
  return error && new LlamatuneError(error.code, error.message, { hint: error.hint });
}
