// The runs whose peak memory is compared with the estimate, from the smallest model to the largest.

const base = {
  type: 'Q8_0',
  sequence: 512,
  microBatch: 1,
  gradientCheckpointing: 'off',
  weightCache: 'off',
  ragged: false,
  layout: 'padding-free',
  precision: 'bf16',
  rank: 8,
  threads: 0,
  seed: 1,
  warmup: 0,
  steps: 2,
};

/** Options of a row of bench:training by name. `small` ones take seconds and less than 2 GB. */
export const configurations = {
  tiny: { ...base, model: 'tiny', type: 'F32' },
  'smollm2-135m': { ...base, model: 'smollm2-135m', type: 'Q4_1' },
  'smollm2-135m-4-rows': { ...base, model: 'smollm2-135m', type: 'Q4_1', microBatch: 4 },
  'smollm2-135m-weight-cache': {
    ...base,
    model: 'smollm2-135m',
    type: 'Q4_1',
    weightCache: 'on',
  },
  'qwen3moe-64x8': { ...base, model: 'qwen3moe-64x8' },
  'qwen3-0.6b': { ...base, model: 'qwen3-0.6b', microBatch: 4 },
  'qwen3-0.6b-weight-cache': { ...base, model: 'qwen3-0.6b', weightCache: 'on' },
  'qwen3moe-64x8-weight-cache': { ...base, model: 'qwen3moe-64x8', weightCache: 'on' },
  'qwen3-0.6b-ragged': {
    ...base,
    model: 'qwen3-0.6b',
    microBatch: 2,
    ragged: true,
    gradientCheckpointing: 'on',
    steps: 4,
  },
  'qwen3-0.6b-long': {
    ...base,
    model: 'qwen3-0.6b',
    sequence: 4096,
    gradientCheckpointing: 'on',
    steps: 1,
  },
  'gemma3-1b': { ...base, model: 'gemma3-1b', type: 'Q4_K_M' },
  'qwen3-1.7b': { ...base, model: 'qwen3-1.7b', type: 'Q4_K_M', gradientCheckpointing: 'on' },
  'llama3.1-8b': {
    ...base,
    model: 'llama3.1-8b',
    type: 'Q4_K_M',
    gradientCheckpointing: 'on',
    steps: 1,
  },
};

export const small = ['tiny', 'smollm2-135m', 'smollm2-135m-4-rows', 'smollm2-135m-weight-cache'];
