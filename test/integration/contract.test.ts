import { describe, expect, it } from 'vitest';
import type { LogLine } from '../../src/contract/addon.js';
import type { BenchOptions, SampleEvent } from '../../src/contract/benchmark.js';
import type {
  GenerationTotals,
  PreparedGeneration,
  Prompt,
  SequenceOutcome,
  TokenEvent,
} from '../../src/contract/generation.js';
import { addon } from '../../src/contract/load.js';
import type {
  AdapterInfo,
  AdapterValues,
  DeviceTest,
  ListedDevice,
  LoadOptions,
  MergeProgress,
  MergeResult,
  ModelInfo,
  SystemInfo,
} from '../../src/contract/model.js';
import * as api from '../../src/index.js';
import {
  cpuAccelerator,
  device,
  experts,
  keys,
  nested,
  product,
  support,
  tensor,
} from './contract-keys.js';
import { scoreOptions, scoringResults } from './contract-scoring.js';
import { addedForTraining, trainingResults } from './contract-training.js';

// Compares the field names of the C++ structs with those of src/contract. The type checker compares the lists below with
// the types, and this test compares them with the addon, so a field that only one side has fails one of the two.

const results: Record<string, string[]> = {
  LogLine: keys<LogLine>({ level: true, line: true }),
  ModelInfo: [
    ...keys<ModelInfo>({
      architecture: true,
      name: true,
      description: true,
      parameters: true,
      bytes: true,
      contextLength: true,
      embeddingLength: true,
      layers: true,
      vocabularySize: true,
      chatTemplate: true,
      bosToken: true,
      eosToken: true,
      eotToken: true,
      endOfGenerationTokens: true,
      addBos: true,
      addEos: true,
      canPack: true,
      trainableTargets: true,
      tensors: true,
      metadata: true,
    }),
    ...nested('tensors', tensor),
  ],
  AdapterInfo: [
    ...keys<AdapterInfo>({
      architecture: true,
      rank: true,
      alpha: true,
      rsLora: true,
      parameters: true,
      weights: true,
      base: true,
      metadata: true,
    }),
    ...nested('weights', ['name', 'rank']),
    ...nested('base', ['name', 'layers', 'embeddingLength', 'shapes']),
  ],
  AdapterValues: [
    ...keys<AdapterValues>({ alpha: true, rsLora: true, pairs: true }),
    ...nested('pairs', ['name', 'rank', 'experts', 'a', 'b']),
  ],
  MergeProgress: keys<MergeProgress>({ type: true, done: true, total: true }),
  MergeResult: keys<MergeResult>({ keptUpdate: true }),
  SystemInfo: [
    ...keys<SystemInfo>({
      llamaCpp: true,
      backends: true,
      devices: true,
      physicalCores: true,
      cpuAccelerator: true,
      weightTypes: true,
    }),
    ...nested('devices', Object.keys(device)),
    ...nested('cpuAccelerator', cpuAccelerator),
  ],
  ListedDevice: [
    ...keys<ListedDevice>({ ...device, server: true, automatic: true, training: true }),
    ...nested('training', support),
  ],
  DeviceTest: keys<DeviceTest>({
    type: true,
    architecture: true,
    weightType: true,
    lossError: true,
    logitsError: true,
    gradientError: true,
    worstGradient: true,
    firstLoss: true,
    lastLoss: true,
    passed: true,
  }),
  ...trainingResults,
  ...scoringResults,
  TokenEvent: keys<TokenEvent>({
    type: true,
    promptIndex: true,
    sampleIndex: true,
    token: true,
    text: true,
  }),
  SequenceOutcome: [
    ...keys<SequenceOutcome>({
      type: true,
      promptIndex: true,
      sampleIndex: true,
      seed: true,
      text: true,
      tokens: true,
      promptTokens: true,
      sharedPromptTokens: true,
      generatedTokens: true,
      finishReason: true,
      error: true,
      timeToFirstTokenMs: true,
      promptMs: true,
      generationMs: true,
      experts: true,
    }),
    ...nested('experts', experts),
    ...nested('error', ['code', 'message', 'hint']),
  ],
  GenerationTotals: [
    ...keys<GenerationTotals>({
      parallel: true,
      promptTokens: true,
      sharedPromptTokens: true,
      generatedTokens: true,
      promptMs: true,
      generationMs: true,
      flashAttention: true,
      experts: true,
    }),
    ...nested('experts', experts),
  ],
  Prompt: keys<Prompt>({ index: true, tokens: true, seeds: true }),
  SampleEvent: keys<SampleEvent>({
    type: true,
    kind: true,
    repetition: true,
    warmup: true,
    tokens: true,
    ms: true,
  }),
  Peak: [
    ...keys<api.Peak>({
      library: true,
      precision: true,
      threads: true,
      bestGflops: true,
      medianGflops: true,
      shapes: true,
    }),
    ...nested('shapes', product),
  ],
};

const options = (schema: Parameters<typeof api.describeOptions>[0]): string[] =>
  api.describeOptions(schema).map(({ path }) => path);

const preparedGeneration = keys<PreparedGeneration>({
  contextLength: true,
  batchSize: true,
  samples: true,
  parallel: true,
  memoryLimit: true,
});
const loadOptions = keys<LoadOptions>({
  model: true,
  device: true,
  rpc: true,
  placement: true,
  gpuLayers: true,
  tensorSplit: true,
  useMmap: true,
  repack: true,
  vocabularyOnly: true,
});
const benchOptions = keys<BenchOptions>({
  promptTokens: true,
  generatedTokens: true,
  warmup: true,
  repetitions: true,
  threads: true,
  flashAttention: true,
  trainSteps: true,
  training: true,
});

/**
 * Options of a call: those of its schema, what the preparation adds, and the options that TypeScript uses by itself.
 */
const calls: Record<string, { schema: string[]; added: string[]; ours: RegExp }> = {
  LoadOptions: {
    schema: options(api.loadModelSchema),
    added: loadOptions,
    ours: /^(purpose|onProgress|signal)$/,
  },
  CreateModelOptions: { schema: options(api.createModelSchema), added: [], ours: /^$/ },
  MergeOptions: {
    schema: options(api.mergeAdapterSchema),
    added: [],
    ours: /^(model|modelCard|onProgress|signal)$/,
  },
  QuantizeOptions: { schema: options(api.quantizeModelSchema), added: [], ours: /^$/ },
  TrainOptions: {
    schema: options(api.finetuneSchema),
    added: addedForTraining,
    ours: /^(model|modelCard|runLog|dataset|maxSteps|overlength|truncationSide|badRows|maxBadRows|packing|loss|chatTemplate|tensorboard|onEvent|adaptive\..+|signal|device|gpuLayers|tensorSplit|placement|rpc|optimizer\.(?!type|maxGradientNorm).+|objective\.(?!type).+|scheduler\..+|validation\.(split|dataset))$/,
  },
  GenerateOptions: {
    schema: options(api.generateSchema),
    added: preparedGeneration,
    ours: /^(model|prompt|messages|prompts|n|tools|chatTemplate|signal|device|gpuLayers|tensorSplit|placement|rpc)$/,
  },
  ScoreOptions: {
    schema: options(api.scoreSchema),
    added: scoreOptions,
    ours: /^(model|sequences|dataset|loss|chatTemplate|sequenceLength|overlength|truncationSide|signal|device|gpuLayers|tensorSplit|placement|rpc)$/,
  },
  EmbedOptions: {
    schema: options(api.embedSchema),
    added: ['batchSize'],
    ours: /^(model|signal|device|gpuLayers|tensorSplit|placement|rpc)$/,
  },
  DeviceTestOptions: {
    schema: options(api.testDeviceSchema),
    added: ['folder'],
    ours: /^signal$/,
  },
  PeakOptions: { schema: options(api.peakSchema), added: [], ours: /^signal$/ },
  BenchOptions: {
    schema: options(api.benchSchema).filter((name) => !name.startsWith('training.')),
    added: benchOptions,
    ours: /^(model|signal|device|gpuLayers|tensorSplit|placement|rpc)$/,
  },
};

const adapterFields = nested('adapters', ['path', 'scale']);

/** Objects inside an option that no schema lists by path. */
const inside: Record<string, string[]> = {
  LoadOptions: ['placement.pattern', 'placement.device'],
  GenerateOptions: adapterFields,
  ScoreOptions: adapterFields,
  EmbedOptions: adapterFields,
  CreateModelOptions: nested('vocabulary', [
    'from',
    'pre',
    'tokens',
    'tokenTypes',
    'merges',
    'bosToken',
    'eosToken',
    'padToken',
    'addBos',
  ]),
};

const leaves = (names: string[]): string[] =>
  names.filter((name) => !names.some((other) => other.startsWith(`${name}.`)));

describe('the contract with the addon', () => {
  const fields = addon().fieldNames();

  it.each(Object.keys(results))('%s: the addon writes what the type says', (name) => {
    expect(fields[name]?.toSorted()).toEqual(results[name]!.toSorted());
  });

  it.each(Object.keys(calls))('%s: the addon reads every option, and only options', (name) => {
    const { schema, added, ours } = calls[name]!;
    const given = [...new Set([...schema.filter((option) => !ours.test(option)), ...added])];
    const read = (fields[name] ?? []).filter((field) => !field.startsWith('training.'));
    expect(leaves(read).toSorted()).toEqual(
      leaves([...new Set([...given, ...(inside[name] ?? [])])]).toSorted(),
    );
  });

  it('covers every struct', () => {
    const structs = [...Object.keys(results), ...Object.keys(calls)];
    expect(Object.keys(fields).toSorted()).toEqual(structs.toSorted());
  });

  it('names every wrong value by its path', () => {
    const call = () => addon().planTraining({ mode: 'both', optimizer: { beta1: 'x' } } as never);
    expect(call).toThrow(/expected 'lora' or 'full' for mode but received string/);
    expect(call).toThrow(/expected number for optimizer.beta1 but received string/);
    expect(call).toThrow(/expected object for lora but received undefined/);
  });
});
