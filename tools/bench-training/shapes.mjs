// The models that are measured, by their shapes: weights are random, which costs the same time as real ones.

/** createModel()'s options, and a vocabulary that llama.cpp ships with its size. */
export const shapes = {
  'qwen3-0.6b': {
    architecture: 'qwen3',
    vocabulary: 'qwen2',
    vocabularySize: 151936,
    contextLength: 40960,
    embeddingLength: 1024,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headLength: 128,
    feedForwardLength: 3072,
    ropeFrequencyBase: 1e6,
  },
  'qwen3-1.7b': {
    architecture: 'qwen3',
    vocabulary: 'qwen2',
    vocabularySize: 151936,
    contextLength: 40960,
    embeddingLength: 2048,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headLength: 128,
    feedForwardLength: 6144,
    ropeFrequencyBase: 1e6,
  },
  // The vocabulary of Gemma 4 has as many tokens as that of Gemma 3.
  'gemma3-1b': {
    architecture: 'gemma3',
    vocabulary: 'gemma-4',
    vocabularySize: 262144,
    contextLength: 32768,
    embeddingLength: 1152,
    layers: 26,
    heads: 4,
    kvHeads: 1,
    headLength: 256,
    feedForwardLength: 6912,
    ropeFrequencyBase: 1e6,
  },
  'llama3.2-1b': {
    architecture: 'llama',
    vocabulary: 'llama-bpe',
    vocabularySize: 128256,
    contextLength: 131072,
    embeddingLength: 2048,
    layers: 16,
    heads: 32,
    kvHeads: 8,
    headLength: 64,
    feedForwardLength: 8192,
    ropeFrequencyBase: 5e5,
  },
  // A layer of Qwen3's mixtures of experts, narrower: half the experts, as many used by a token.
  'qwen3moe-64x8': {
    architecture: 'qwen3moe',
    vocabulary: 'phi-3',
    vocabularySize: 32064,
    contextLength: 40960,
    embeddingLength: 1024,
    layers: 8,
    heads: 16,
    kvHeads: 4,
    headLength: 64,
    experts: 64,
    expertsPerToken: 8,
    expertFeedForwardLength: 384,
    ropeFrequencyBase: 1e6,
  },
  // Only for a quick check of the benchmark itself.
  tiny: {
    architecture: 'qwen3',
    vocabulary: 'phi-3',
    vocabularySize: 32064,
    contextLength: 4096,
    embeddingLength: 64,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headLength: 16,
    feedForwardLength: 256,
    ropeFrequencyBase: 1e4,
  },
};

/** What is trained: every linear layer, of a mixture the experts' too. */
export function targetsOf(shape) {
  const experts = shape.experts === undefined ? '' : '_exps';
  const attention = ['attn_q', 'attn_k', 'attn_v', 'attn_output'];
  return [...attention, ...['ffn_gate', 'ffn_up', 'ffn_down'].map((kind) => kind + experts)];
}

/**
 * [inputs, outputs] of the linear layers of a block that a token meets: q, k, v, output, then gate, up and down, of a
 * mixture those of each expert that it uses (its router, a hundredth of that, is left out).
 */
export function linearsOf(shape) {
  const { embeddingLength: width } = shape;
  const wide = shape.feedForwardLength ?? shape.expertFeedForwardLength;
  const queries = shape.heads * shape.headLength;
  const keys = shape.kvHeads * shape.headLength;
  return [
    [width, queries],
    [width, keys],
    [width, keys],
    [queries, width],
    ...Array.from({ length: shape.expertsPerToken ?? 1 }, () => [
      [width, wide],
      [width, wide],
      [wide, width],
    ]).flat(),
  ];
}

/**
 * Floating-point operations that LoRA training needs for one token, a multiplication and an addition counted as two:
 *
 *     4 · (inputs · outputs)        each frozen linear layer: forward, and the gradient towards its input
 *     6 · rank · (inputs + outputs) each pair A, B: the same, and the gradients of A and B themselves
 *     4 · width · vocabulary        the output projection, for tokens that carry a loss alone
 *
 * Attention's own products, norms and the like are not counted, nor is what is computed a second time to save memory: so
 * a fraction of the limit is never flattered. 2.4e9 for Qwen3-0.6B with rank 8 on every linear layer.
 *
 * @param targetShare tokens that carry a loss / all tokens
 */
export function flopPerToken(shape, { rank, targetShare }) {
  let perBlock = 0;
  for (const [inputs, outputs] of linearsOf(shape)) {
    perBlock += 4 * inputs * outputs + 6 * rank * (inputs + outputs);
  }
  return shape.layers * perBlock + 4 * shape.embeddingLength * shape.vocabularySize * targetShare;
}
