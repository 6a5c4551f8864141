import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { benchSchema } from '../../../src/config/bench.js';
import { createModelSchema } from '../../../src/config/create-model.js';
import { generateSchema } from '../../../src/config/generate.js';
import { parseConfig } from '../../../src/config/parse.js';
import { suiteSchema } from '../../../src/config/suite.js';
import type { LlamatuneError } from '../../../src/errors.js';

function problemsOf(schema: z.ZodType, input: unknown): Record<string, string> {
  try {
    parseConfig(schema, input);
  } catch (error) {
    return Object.fromEntries(
      (error as LlamatuneError).problems.map(({ path, message }) => [path, message]),
    );
  }
  return {};
}

describe('generateSchema', () => {
  const base = { model: 'm.gguf', prompt: 'Hi' };

  it('fills in the defaults', () => {
    expect(parseConfig(generateSchema, base)).toEqual({
      ...base,
      adapters: [],
      maxTokens: 256,
      temperature: 0.8,
      topK: 40,
      topP: 0.95,
      minP: 0.05,
      repeatPenalty: 1,
      repeatLastN: 64,
      seed: 42,
      stop: [],
      ignoreEos: false,
      flashAttention: 'auto',
      expertStatistics: false,
      threads: 0,
      device: 'auto',
      gpuLayers: 'all',
      placement: {},
      rpc: [],
    });
  });

  it('accepts adapters as a path, paths, or paths with scales', () => {
    const adaptersOf = (adapters: unknown) =>
      parseConfig(generateSchema, { ...base, adapters }).adapters;
    expect(adaptersOf('a')).toEqual([{ path: resolve('a'), scale: 1 }]);
    expect(adaptersOf(['a', { path: 'b', scale: 0.5 }, { path: 'c' }])).toEqual([
      { path: resolve('a'), scale: 1 },
      { path: resolve('b'), scale: 0.5 },
      { path: resolve('c'), scale: 1 },
    ]);
    expect(problemsOf(generateSchema, { ...base, adapters: 3 })).toEqual({
      adapters: 'expected path, or array of path or { path, scale } but received 3',
    });
    expect(problemsOf(generateSchema, { ...base, adapters: [{ path: 'a', scale: 'x' }] })).toEqual({
      'adapters.0.scale': "expected a number but received 'x'",
    });
  });

  it('refuses tools with prompts that are texts, which would ignore them', () => {
    const problems = (prompts: unknown) =>
      problemsOf(generateSchema, { model: 'm.gguf', prompts, tools: [{ name: 'a' }] });
    const messages = [{ role: 'user', content: 'Hi' }];
    const refused = (where: string) => ({
      tools: `expected tools only with messages but received a text in ${where}`,
    });
    expect(problems([messages, 'Hi'])).toEqual(refused('prompts.1'));
    expect(problems([{ prompt: 'Hi' }])).toEqual(refused('prompts.0'));
    expect(problems('prompts.txt')).toEqual(refused('prompts'));
    expect(problems([{ prompt: messages }, { prompt: 'Hi', messages }, messages])).toEqual({});
    expect(problems('prompts.jsonl')).toEqual({});
  });

  it('requires either a prompt or messages', () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    expect(problemsOf(generateSchema, { model: 'm', messages })).toEqual({});
    expect(problemsOf(generateSchema, { model: 'm' })).toEqual({
      prompt: 'expected one of prompt, messages and prompts but received none',
    });
    expect(problemsOf(generateSchema, { ...base, messages, topP: 0 })).toEqual({
      prompt: 'expected one of prompt, messages and prompts but received prompt and messages',
      topP: 'expected a number of more than 0 but received 0',
    });
    expect(problemsOf(generateSchema, { model: 'm', messages: [{ role: 'user' }] })).toEqual({
      'messages.0.content': 'expected a text but received nothing',
    });
  });

  it('requires a context that is larger than maxTokens', () => {
    expect(problemsOf(generateSchema, { ...base, contextLength: 64, maxTokens: 64 })).toEqual({
      maxTokens: 'expected less than contextLength (64) but received 64',
    });
  });
});

describe('benchSchema', () => {
  it('fills in the defaults', () => {
    expect(parseConfig(benchSchema, { model: 'm.gguf' })).toMatchObject({
      promptTokens: 512,
      generatedTokens: 64,
      training: { steps: 3, sequenceLength: 256, microBatchSize: 1 },
      warmup: 1,
      repetitions: 5,
    });
  });

  it('requires something to measure', () => {
    const nothing = { promptTokens: 0, generatedTokens: 0, training: { steps: 0 } };
    expect(problemsOf(benchSchema, { model: 'm', ...nothing })).toHaveProperty(['']);
    expect(problemsOf(benchSchema, { model: 'm', ...nothing, promptTokens: 1 })).toEqual({});
  });
});

describe('createModelSchema', () => {
  const vocabulary = {
    pre: 'qwen2',
    tokens: ['a', 'b', '<e>'],
    tokenTypes: [1, 1, 3],
    merges: ['a b'],
    eosToken: 2,
  };
  const base = { path: 'm.gguf', vocabulary };

  it('fills in the defaults for both kinds of vocabulary', () => {
    expect(parseConfig(createModelSchema, base)).toMatchObject({
      architecture: 'llama',
      vocabulary: { bosToken: null, padToken: null, addBos: false },
      type: 'F32',
    });
    const shared = { path: resolve('m.gguf'), vocabulary: { from: resolve('other.gguf') } };
    expect(parseConfig(createModelSchema, shared)).toMatchObject(shared);
  });

  it('checks shapes and token ids', () => {
    expect(
      problemsOf(createModelSchema, {
        ...base,
        embeddingLength: 100,
        heads: 3,
        kvHeads: 2,
        vocabulary: { ...vocabulary, tokenTypes: Int32Array.of(1, 1), eosToken: 3 },
      }),
    ).toEqual({
      embeddingLength: 'expected a multiple of 2 * heads (6), or headLength, but received 100',
      kvHeads: 'expected a divisor of heads (3) but received 2',
      'vocabulary.tokenTypes': 'expected one type for each of 3 tokens but received 2',
      'vocabulary.eosToken': 'expected a token id below 3 but received 3',
    });
  });

  it('requires a BOS token with addBos', () => {
    const adds = { ...vocabulary, addBos: true };
    expect(problemsOf(createModelSchema, { ...base, vocabulary: adds })).toEqual({
      'vocabulary.addBos': 'expected bosToken with addBos but received addBos alone',
    });
    const complete = { ...adds, bosToken: 0 };
    expect(problemsOf(createModelSchema, { ...base, vocabulary: complete })).toEqual({});
  });

  it('accepts expert options only for architectures with experts', () => {
    const moe = { ...base, architecture: 'qwen3moe' };
    expect(problemsOf(createModelSchema, { ...moe, experts: 4, expertsPerToken: 4 })).toEqual({});
    expect(
      problemsOf(createModelSchema, { ...moe, feedForwardLength: 64, expertsPerToken: 9 }),
    ).toEqual({
      feedForwardLength:
        "expected expertFeedForwardLength for architecture 'qwen3moe' but received feedForwardLength",
      expertsPerToken: 'expected no more than experts (8) but received 9',
    });
    expect(problemsOf(createModelSchema, { ...base, experts: 4 })).toEqual({
      experts: "expected an architecture with experts ('qwen3moe') but received 'llama'",
    });
  });

  it('describes the forms of a vocabulary', () => {
    expect(problemsOf(createModelSchema, { path: 'm', vocabulary: 'x.gguf' })).toEqual({
      vocabulary:
        "expected { from } or { pre, tokens, tokenTypes, merges, … } but received 'x.gguf'",
    });
  });
});

describe('suiteSchema', () => {
  it('names a benchmark that is null, instead of failing on it', () => {
    const suite = { name: 's', benchmarks: [null, { task: 'inference', models: ['a.gguf'] }] };
    expect(Object.keys(problemsOf(suiteSchema, suite))).toContain('benchmarks.0');
  });
});
