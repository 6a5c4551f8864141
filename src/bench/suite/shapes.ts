import type { CreateModelOptions } from '../../config/create-model.js';
import { LlamatuneError } from '../../errors.js';
import { BYTE_ALPHABET } from './byte-alphabet.js';

/** A model with random weights: options of createModel(), and the size of its vocabulary. */
export type Shape = Omit<CreateModelOptions, 'path' | 'vocabulary' | 'type' | 'name'> & {
  vocabularySize: number;
};

const qwen3 = {
  architecture: 'qwen3',
  vocabularySize: 151_936,
  contextLength: 40_960,
  headLength: 128,
  kvHeads: 8,
  ropeFrequencyBase: 1e6,
} as const;

const gemma3 = {
  architecture: 'gemma3',
  vocabularySize: 262_144,
  headLength: 256,
  ropeFrequencyBase: 1e6,
} as const;

/** The shapes of well-known models, which random weights make as fast and as large as the models themselves. */
export const SHAPES = {
  'qwen3-0.6b': {
    ...qwen3,
    embeddingLength: 1024,
    layers: 28,
    heads: 16,
    feedForwardLength: 3072,
  },
  'qwen3-1.7b': {
    ...qwen3,
    embeddingLength: 2048,
    layers: 28,
    heads: 16,
    feedForwardLength: 6144,
  },
  'qwen3-4b': {
    ...qwen3,
    embeddingLength: 2560,
    layers: 36,
    heads: 32,
    feedForwardLength: 9728,
  },
  'gemma3-1b': {
    ...gemma3,
    contextLength: 32_768,
    embeddingLength: 1152,
    layers: 26,
    heads: 4,
    kvHeads: 1,
    feedForwardLength: 6912,
  },
  'gemma3-4b': {
    ...gemma3,
    contextLength: 131_072,
    embeddingLength: 2560,
    layers: 34,
    heads: 8,
    kvHeads: 4,
    feedForwardLength: 10_240,
  },
  'llama3.1-8b': {
    architecture: 'llama',
    vocabularySize: 128_256,
    contextLength: 131_072,
    embeddingLength: 4096,
    layers: 32,
    heads: 32,
    kvHeads: 8,
    headLength: 128,
    feedForwardLength: 14_336,
    ropeFrequencyBase: 5e5,
    tieEmbeddings: false,
  },
  'qwen3-30b-a3b': {
    architecture: 'qwen3moe',
    vocabularySize: 151_936,
    contextLength: 40_960,
    embeddingLength: 2048,
    layers: 48,
    heads: 32,
    kvHeads: 4,
    headLength: 128,
    experts: 128,
    expertsPerToken: 8,
    expertFeedForwardLength: 768,
    ropeFrequencyBase: 1e6,
    tieEmbeddings: false,
  },
} as const satisfies Record<string, Shape>;

/** The linear layers of attention, and of the feed-forward part of a dense block. */
export const ATTENTION_LAYERS = ['attn_q', 'attn_k', 'attn_v', 'attn_output'] as const;
export const FEED_FORWARD_LAYERS = ['ffn_gate', 'ffn_up', 'ffn_down'] as const;

const PREFIX = 'shape:';

/** Whether a model of a suite is a shape rather than a path. */
export const isShape = (model: string): boolean => model.startsWith(PREFIX);

/** Options that a shape's name may change: 'shape:qwen3-30b-a3b,experts=32,layers=8'. */
const CHANGEABLE = [
  'layers',
  'embeddingLength',
  'feedForwardLength',
  'heads',
  'kvHeads',
  'experts',
  'expertsPerToken',
  'expertFeedForwardLength',
  'vocabularySize',
] as const;

/**
 * The shape that a model of a suite names.
 *
 * @throws LlamatuneError SHAPE_UNKNOWN
 */
export function shapeOf(model: string): Shape {
  const [name = '', ...changes] = model.slice(PREFIX.length).split(',');
  const known: Record<string, Shape> = SHAPES;
  const shape = Object.hasOwn(known, name) ? known[name] : undefined;
  if (shape === undefined) {
    throw unknownShape(`there is no shape '${name}'`, Object.keys(SHAPES));
  }
  const changed = { ...shape };
  for (const change of changes) {
    const [option, value] = change.split('=');
    const changeable = CHANGEABLE.find((each) => each === option);
    if (changeable === undefined || !/^[1-9]\d*$/.test(value ?? '')) {
      throw unknownShape(`'${change}' in '${model}' changes no number of the shape`, CHANGEABLE);
    }
    changed[changeable] = Number(value);
  }
  return changed;
}

const unknownShape = (message: string, names: readonly string[]): LlamatuneError =>
  new LlamatuneError('SHAPE_UNKNOWN', message, { hint: `use one of ${names.join(', ')}` });

/** The 256 bytes and an end token. */
export const FEWEST_SHAPE_TOKENS = BYTE_ALPHABET.length + 1;

/** A vocabulary of this size: the 256 bytes, an end token, and tokens that no text contains. */
export function vocabularyOf(size: number) {
  const others = Array.from({ length: size - BYTE_ALPHABET.length }, (_, i) => `<|${i}|>`);
  return {
    pre: 'qwen2',
    tokens: [...BYTE_ALPHABET, ...others],
    tokenTypes: [...BYTE_ALPHABET.map(() => 1), ...others.map(() => 3)],
    merges: [],
    eosToken: BYTE_ALPHABET.length,
  };
}

/** The parameters of a shape: all of them, and those that a token uses. Norms are left out. */
export function parametersOf(shape: Shape): { total: number; active: number } {
  const { embeddingLength: width = 128, layers = 4, heads = 4 } = shape;
  const head = shape.headLength ?? width / heads;
  const attention = width * head * (2 * heads + 2 * (shape.kvHeads ?? heads));
  const expert = 3 * width * (shape.expertFeedForwardLength ?? width);
  const feedForward = 3 * width * (shape.feedForwardLength ?? 3 * width);
  const [all, used] =
    shape.architecture === 'qwen3moe'
      ? [expert * (shape.experts ?? 8), expert * (shape.expertsPerToken ?? 2)]
      : [feedForward, feedForward];
  const vocabulary = width * shape.vocabularySize;
  const matrices = shape.tieEmbeddings === false ? 2 : 1;
  return {
    total: layers * (attention + all) + matrices * vocabulary,
    active: layers * (attention + used) + vocabulary,
  };
}

/** Bits per weight of the types that are benchmarked most, scales included. */
const BITS: Readonly<Record<string, number>> = {
  F32: 32,
  F16: 16,
  BF16: 16,
  'as-is': 16,
  Q8_0: 8.5,
  Q6_K: 6.5625,
  Q5_K_M: 5.7,
  Q5_0: 5.5,
  Q4_1: 5,
  Q4_K_M: 4.85,
  Q4_K: 4.5,
  Q4_0: 4.5,
};

/** The size of this many weights; null for a type that is not known here. */
export function bytesOf(parameters: number, weightType: string): number | null {
  const bits = BITS[weightType.toUpperCase()] ?? BITS[weightType];
  return bits === undefined ? null : (parameters * bits) / 8;
}
