// The shapes of the measured models. Their weights are random, which takes the same time as real weights.
import { ATTENTION_LAYERS, FEED_FORWARD_LAYERS, SHAPES } from '../../dist/bench/suite/shapes.js';

/** Options of createModel(), and a vocabulary of llama.cpp with its size. Embeddings are tied unless a shape says otherwise. */
export const shapes = {
  'qwen3-0.6b': { ...SHAPES['qwen3-0.6b'], vocabulary: 'qwen2' },
  'qwen3-1.7b': { ...SHAPES['qwen3-1.7b'], vocabulary: 'qwen2' },
  // StarCoder's vocabulary has as many tokens as that of SmolLM2.
  'smollm2-135m': {
    architecture: 'llama',
    vocabulary: 'starcoder',
    vocabularySize: 49152,
    contextLength: 8192,
    embeddingLength: 576,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    headLength: 64,
    feedForwardLength: 1536,
    ropeFrequencyBase: 1e5,
  },
  // The vocabulary of Gemma 4 has as many tokens as that of Gemma 3.
  'gemma3-270m': {
    architecture: 'gemma3',
    vocabulary: 'gemma-4',
    vocabularySize: 262144,
    contextLength: 32768,
    embeddingLength: 640,
    layers: 18,
    heads: 4,
    kvHeads: 1,
    headLength: 256,
    feedForwardLength: 2048,
    ropeFrequencyBase: 1e6,
  },
  'gemma3-1b': { ...SHAPES['gemma3-1b'], vocabulary: 'gemma-4' },
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
  'llama3.1-8b': { ...SHAPES['llama3.1-8b'], vocabulary: 'llama-bpe' },
  'qwen3-30b-a3b': { ...SHAPES['qwen3-30b-a3b'], vocabulary: 'qwen2' },
  // Narrower layers than in Qwen3's mixtures of experts: half the experts, the same number per token.
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

/** The trained targets: every linear layer, including experts, or only those of attention. */
export function targetsOf(shape, which = 'all') {
  const experts = shape.experts === undefined ? '' : '_exps';
  if (which === 'attention') return [...ATTENTION_LAYERS];
  return [...ATTENTION_LAYERS, ...FEED_FORWARD_LAYERS.map((kind) => kind + experts)];
}

/**
 * [inputs, outputs] of the linear layers of a block that process a token: q, k, v, output, then gate, up and down, for each
 * expert of the token in a mixture of experts. The router is left out, because it adds about 1 %.
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
 *     6 · rank · (inputs + outputs) each pair A, B: the same, and the gradients of A and B
 *     4 · width · vocabulary        the output projection, only for tokens that carry a loss
 *
 * Attention scores, norms and recomputed activations are not counted, so the fraction of the peak is never too high. Example:
 * 2.4e9 for Qwen3-0.6B with rank 8 on every linear layer.
 *
 * @param targetShare tokens that carry a loss / all tokens
 * @param targets which layers have a pair: 'all' or 'attention'
 */
export function flopPerToken(shape, { rank, targetShare, targets = 'all' }) {
  let perBlock = 0;
  for (const [i, [inputs, outputs]] of linearsOf(shape).entries()) {
    perBlock += 4 * inputs * outputs;
    if (targets === 'all' || i < 4) perBlock += 6 * rank * (inputs + outputs);
  }
  return shape.layers * perBlock + 4 * shape.embeddingLength * shape.vocabularySize * targetShare;
}

/**
 * Floating-point operations of attention for a token of a full row, on average: the two products of the forward pass and the
 * four of the backward pass over the keys that a token attends to, half of the row. Null for models with sliding windows.
 *
 *     3 · 4 · heads · headLength · sequence / 2        in each layer
 */
export function attentionFlopPerToken(shape, sequence) {
  if (shape.architecture === 'gemma3') return null;
  return shape.layers * 6 * shape.heads * shape.headLength * sequence;
}
