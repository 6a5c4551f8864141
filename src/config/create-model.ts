import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import { type FieldReader, withCrossFieldRules } from './cross-field.js';
import { path, seed } from './fields.js';

/**
 * GGUF token types (llama.cpp's `llama_token_type`): 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.
 */
const tokenTypes = z
  .custom<readonly number[] | Int32Array>(
    (value) =>
      (Array.isArray(value) || value instanceof Int32Array) &&
      Array.from(value as ArrayLike<unknown>).every(
        (type) => Number.isInteger(type) && (type as number) >= 1 && (type as number) <= 6,
      ),
  )
  .meta({
    description: 'GGUF type of each token: 1 normal, 3 control, 4 user defined, 6 byte.',
    typeText: 'array of integers from 1 to 6',
  });

const tokenId = (description: string) => z.int32().min(0).describe(description);

const newVocabulary = z.strictObject({
  pre: z.string().min(1).describe("Name of llama.cpp's pre-tokenizer, e.g. 'qwen2'."),
  tokens: z
    .array(z.string().min(1))
    .min(1)
    .describe('Byte-level BPE tokens; the position is the token id.'),
  tokenTypes,
  merges: z.array(z.string().min(3)).describe('BPE merges, in order of priority.'),
  bosToken: tokenId('Token id of the beginning of a text (BOS).').nullable().default(null),
  eosToken: tokenId('Token id of the end of a text or turn (EOS).'),
  padToken: tokenId('Token id of padding.').nullable().default(null),
  addBos: z.boolean().default(false).describe('Start every text with bosToken.'),
});

const copiedVocabulary = z.strictObject({
  from: path('GGUF file to copy the vocabulary from.'),
});

const base = z.strictObject({
  path: path('GGUF file to write.'),
  architecture: z
    .enum(['llama', 'qwen3', 'gemma3', 'qwen3moe'])
    .default('llama')
    .describe('Model architecture.'),
  name: z.string().min(1).default('llamatune-model').describe('Model name in the metadata.'),
  vocabulary: z.union([copiedVocabulary, newVocabulary]).meta({
    description: 'Vocabulary: copied from a GGUF file, or given here.',
    typeText: '{ from } or { pre, tokens, tokenTypes, merges, … }',
  }),
  chatTemplate: z
    .string()
    .default('')
    .describe(
      "Chat template: a Jinja text, a file, or the name of a common format (empty = none, or the copied vocabulary's).",
    ),
  contextLength: z.int32().min(8).default(512).describe('Maximum sequence length, in tokens.'),
  embeddingLength: z
    .int32()
    .min(2)
    .default(128)
    .describe('Width of the embeddings and of the residual stream.'),
  layers: z.int32().min(1).max(512).default(4).describe('Number of transformer blocks.'),
  heads: z.int32().min(1).default(4).describe('Number of attention heads.'),
  kvHeads: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Number of key-value heads (grouped-query attention); divides heads. Default: heads.',
    ),
  headLength: z
    .int32()
    .min(2)
    .multipleOf(2)
    .optional()
    .describe('Width of an attention head. Default: embeddingLength / heads.'),
  feedForwardLength: z
    .int32()
    .min(1)
    .optional()
    .describe('Width of the feed-forward block. Default: 3 * embeddingLength.'),
  experts: z
    .int32()
    .min(1)
    .max(512)
    .optional()
    .describe("Experts per layer; only for architecture 'qwen3moe'. Default: 8."),
  expertsPerToken: z
    .int32()
    .min(1)
    .max(512)
    .optional()
    .describe("Experts per token (top-k routing); only for architecture 'qwen3moe'. Default: 2."),
  expertFeedForwardLength: z
    .int32()
    .min(1)
    .optional()
    .describe("Width of an expert; only for architecture 'qwen3moe'. Default: embeddingLength."),
  ropeFrequencyBase: z.number().positive().default(10000).describe('RoPE base frequency.'),
  tieEmbeddings: z
    .boolean()
    .default(true)
    .describe('Use the token embeddings as the output matrix, too.'),
  type: z
    .string()
    .min(1)
    .default('F32')
    .describe(
      "ggml type of the weight matrices, e.g. 'F32', 'F16', 'Q8_0'; norm weights stay F32.",
    ),
  initStd: z
    .number()
    .positive()
    .default(0.02)
    .describe('Standard deviation of the initial weights.'),
  seed: seed(),
  sampledBlocks: z
    .boolean()
    .default(false)
    .describe(
      'Draw the blocks of the matrices from a small quantized sample: gigabytes per second, for benchmarks.',
    ),
});

/** Whether the feed-forward block of this architecture is a mixture of experts. */
export function hasExperts(architecture: string): boolean {
  return architecture === 'qwen3moe';
}

/** Schema of the options of `createModel()`. */
export const createModelSchema = withCrossFieldRules(base, (read) => [
  ...expertProblems(read),
  ...shapeProblems(read),
  ...vocabularyProblems(read),
]);

/** No problem if `holds`, otherwise one. */
const unless = (holds: boolean, path: string, message: string): ConfigProblem[] =>
  holds ? [] : [{ path, message }];

function expertProblems(read: FieldReader): ConfigProblem[] {
  const architecture = String(read.value('architecture'));
  const given = (path: string) => read.value(path) !== undefined;
  if (!hasExperts(architecture)) {
    return ['experts', 'expertsPerToken', 'expertFeedForwardLength'].flatMap((path) =>
      unless(
        !given(path),
        path,
        `expected an architecture with experts ('qwen3moe') but received '${architecture}'`,
      ),
    );
  }
  const [experts, perToken] = [read.number('experts') ?? 8, read.number('expertsPerToken') ?? 2];
  return [
    ...unless(
      !given('feedForwardLength'),
      'feedForwardLength',
      `expected expertFeedForwardLength for architecture '${architecture}' but received feedForwardLength`,
    ),
    ...unless(
      perToken <= experts,
      'expertsPerToken',
      `expected no more than experts (${experts}) but received ${perToken}`,
    ),
  ];
}

function shapeProblems(read: FieldReader): ConfigProblem[] {
  const [width, heads] = [read.number('embeddingLength'), read.number('heads')];
  if (heads === undefined) return [];
  const kvHeads = read.number('kvHeads') ?? heads;
  const hasHeadLength = width === undefined || read.value('headLength') !== undefined;
  return [
    ...unless(
      hasHeadLength || width % (2 * heads) === 0,
      'embeddingLength',
      `expected a multiple of 2 * heads (${2 * heads}), or headLength, but received ${width}`,
    ),
    ...unless(
      heads % kvHeads === 0,
      'kvHeads',
      `expected a divisor of heads (${heads}) but received ${kvHeads}`,
    ),
  ];
}

function vocabularyProblems(read: FieldReader): ConfigProblem[] {
  const [tokens, types] = [read.value('vocabulary.tokens'), read.value('vocabulary.tokenTypes')];
  const addsMissingBos =
    read.value('vocabulary.addBos') === true && read.number('vocabulary.bosToken') === undefined;
  const problems = unless(
    !addsMissingBos,
    'vocabulary.addBos',
    'expected bosToken with addBos but received addBos alone',
  );
  if (!Array.isArray(tokens)) return problems;
  const count = tokens.length;
  const typeCount = (types as ArrayLike<number> | undefined)?.length ?? count;
  return [
    ...problems,
    ...unless(
      typeCount === count,
      'vocabulary.tokenTypes',
      `expected one type for each of ${count} tokens but received ${typeCount}`,
    ),
    ...['bosToken', 'eosToken', 'padToken'].flatMap((field) => {
      const id = read.number(`vocabulary.${field}`) ?? 0;
      const path = `vocabulary.${field}`;
      return unless(id < count, path, `expected a token id below ${count} but received ${id}`);
    }),
  ];
}

/** Options of `createModel()`. Each option is documented in docs/configuration.md. */
export type CreateModelOptions = z.input<typeof createModelSchema>;
/** The same with every default filled in. */
export type CreateModelConfig = z.output<typeof createModelSchema>;
