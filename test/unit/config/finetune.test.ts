import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeOptions } from '../../../src/config/describe.js';
import { finetuneSchema, resumableOptions } from '../../../src/config/finetune.js';
import { parseConfig } from '../../../src/config/parse.js';
import { LlamatuneError } from '../../../src/errors.js';

// Paths of outputs and of files that are read late become absolute.
const minimal = { model: 'base.gguf', dataset: 'train.jsonl', output: resolve('adapter.gguf') };

function problemsOf(input: unknown): Record<string, string> {
  try {
    parseConfig(finetuneSchema, input, 'finetune options');
  } catch (error) {
    expect(error).toBeInstanceOf(LlamatuneError);
    const { code, problems, message, hint } = error as LlamatuneError;
    expect(code).toBe('CONFIG_INVALID');
    expect(hint).not.toBe('');
    for (const problem of problems) expect(message).toContain(problem.message);
    return Object.fromEntries(problems.map(({ path, message }) => [path, message]));
  }
  return {};
}

describe('checkpoint.resume.allow', () => {
  const allowed = (name: string): string[] => {
    const checkpoint = { directory: 'c', resume: { from: 'latest', allow: [name] } };
    const { success, data } = finetuneSchema.safeParse({ ...minimal, checkpoint });
    return success ? (data.checkpoint?.resume?.allow ?? []) : [];
  };

  it('allows the options that the engine is told, and no others', () => {
    for (const name of resumableOptions()) expect(allowed(name)).toContain(name);
    const fixed = ['mode', 'batchSize', 'optimizer.type', 'lora.rank', 'lora.targets'];
    expect(fixed.flatMap(allowed)).toEqual([]);
    for (const name of [...fixed, 'optimizer', 'lora']) {
      const others = allowed(name).filter((each) => !resumableOptions().includes(each));
      expect(others).toEqual([]);
    }
    expect(resumableOptions().filter((name) => fixed.includes(name))).toEqual([]);
    // every other fact of a checkpoint, which the hint of CHECKPOINT_MISMATCH may name, is allowed
    const source = readFileSync(
      new URL('../../../native/train/checkpoint-facts.cpp', import.meta.url),
      'utf8',
    );
    const facts = [...source.matchAll(/\{"([\w.]*\w)", /g)].map(([, name]) => name!);
    expect(facts.length).toBeGreaterThan(11);
    for (const fact of facts.filter((name) => !fixed.includes(name))) {
      expect(resumableOptions()).toContain(fact);
    }
  });
});

describe('finetuneSchema', () => {
  it('requires three options and fills in the defaults of the others', () => {
    expect(parseConfig(finetuneSchema, minimal)).toEqual({
      ...minimal,
      mode: 'lora',
      lora: {
        rank: 8,
        alpha: 16,
        rsLora: false,
        loraPlusRatio: 1,
        targets: ['all-linear'],
        init: 'kaiming-uniform',
      },
      epochs: 1,
      sequenceLength: 512,
      batchSize: 8,
      microBatchTokens: 'auto',
      modelCard: true,
      shuffle: true,
      overlength: 'error',
      badRows: 'error',
      objective: { type: 'cross-entropy', labelSmoothing: 0 },
      optimizer: {
        type: 'adamw',
        learningRate: 1e-4,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0.01,
        maxGradientNorm: 1,
      },
      scheduler: { type: 'cosine', minLearningRate: 0 },
      loss: 'assistant',
      precision: 'auto',
      gradientCheckpointing: 'auto',
      loadBalanceLoss: 0,
      expertStatistics: false,
      weightCache: 'auto',
      seed: 42,
      threads: 0,
      device: 'auto',
      gpuLayers: 'all',
      placement: {},
      rpc: [],
    });
  });

  it('accepts every option', () => {
    const full = {
      ...minimal,
      model: { path: 'base.gguf', dispose: async () => {} },
      dataset: [{ text: 'x' }],
      lora: { rank: 4, alpha: 8, targets: ['attn_q'], initAdapter: resolve('a.gguf') },
      maxSteps: 100,
      microBatchSize: 4,
      gradientCheckpointing: true,
      scheduler: { type: 'linear', warmupSteps: 10 },
      validation: { split: 0.1, everySteps: 5 },
      checkpoint: { directory: resolve('checkpoints'), everySteps: 5, resume: { from: 'auto' } },
      signal: new AbortController().signal,
      chatTemplate: '{{ messages }}',
    };
    expect(parseConfig(finetuneSchema, full)).toMatchObject(full);
  });

  it('refuses a weight cache that would have no effect', () => {
    const message = (selector: string, value: string) =>
      `expected no weightCache with ${selector} '${value}' but received true`;
    expect(problemsOf({ ...minimal, mode: 'full', weightCache: true })).toEqual({
      weightCache: message('mode', 'full'),
    });
    expect(problemsOf({ ...minimal, precision: 'f32', weightCache: true })).toEqual({
      weightCache: message('precision', 'f32'),
    });
    for (const weightCache of ['auto', false] as const) {
      const given = { ...minimal, mode: 'full', precision: 'f32', weightCache };
      expect(parseConfig(finetuneSchema, given)).toMatchObject({ weightCache });
    }
  });

  it('refuses a time between checkpoints that the clock cannot count', () => {
    const checkpoint = { directory: 'checkpoints', everyMinutes: 1e9 };
    expect(problemsOf({ ...minimal, checkpoint })).toEqual({
      'checkpoint.everyMinutes': 'expected a number of at most 525600 but received 1000000000',
    });
  });

  it('makes paths absolute', () => {
    const given = { ...minimal, output: 'adapter.gguf', checkpoint: { directory: 'checkpoints' } };
    expect(parseConfig(finetuneSchema, given)).toMatchObject({
      output: resolve('adapter.gguf'),
      checkpoint: { directory: resolve('checkpoints') },
    });
  });

  it('sets no defaults for an adapter that is trained further', () => {
    const parsed = parseConfig(finetuneSchema, {
      ...minimal,
      lora: { initAdapter: 'a.gguf', alpha: 8 },
    });
    expect(parsed.lora).toEqual({ initAdapter: resolve('a.gguf'), alpha: 8, loraPlusRatio: 1 });
  });

  it('accepts the placement options', () => {
    const parsed = parseConfig(finetuneSchema, {
      ...minimal,
      device: 'Vulkan0,Vulkan1',
      gpuLayers: 12,
      tensorSplit: [3, 1],
      placement: { 'ffn_.*_exps': 'cpu' },
      rpc: ['10.0.0.1:50052', 'worker:50053'],
    });
    expect(parsed).toMatchObject({
      device: 'Vulkan0,Vulkan1',
      gpuLayers: 12,
      tensorSplit: [3, 1],
      placement: { 'ffn_.*_exps': 'cpu' },
      rpc: ['10.0.0.1:50052', 'worker:50053'],
    });
    const { placement } = parseConfig(finetuneSchema, { ...minimal, placement: 'experts-on-cpu' });
    const [shorthand] = Object.keys(placement);
    expect(Object.values(placement)).toEqual(['cpu']);
    expect('blk.3.ffn_gate_exps.weight').toMatch(new RegExp(shorthand!));
    expect('blk.3.ffn_gate.weight').not.toMatch(new RegExp(shorthand!));
  });

  it('reports all impossible placements at once', () => {
    expect(problemsOf({ ...minimal, device: 'cpu', rpc: ['a:1'], tensorSplit: [1] })).toMatchObject(
      {
        rpc: "expected a GPU or RPC device with this option but received device 'cpu'",
        tensorSplit: "expected a GPU or RPC device with this option but received device 'cpu'",
      },
    );
    for (const device of ['cpu', ' CPU']) {
      const where = { device, gpuLayers: 3, placement: { ffn_: 'Vulkan0' }, rpc: ['a:1'] };
      expect(problemsOf({ ...minimal, ...where })).toEqual({
        rpc: "expected a GPU or RPC device with this option but received device 'cpu'",
        gpuLayers: "expected a GPU or RPC device with this option but received device 'cpu'",
        placement: "expected only 'cpu' with device 'cpu' but received 'Vulkan0'",
      });
    }
    const noEffect = { device: 'cpu', gpuLayers: 0, placement: 'experts-on-cpu' };
    expect(problemsOf({ ...minimal, ...noEffect })).toEqual({});
    for (const device of ['', 'Vulkan0,', 'Vulkan0, ,cuda']) {
      expect(problemsOf({ ...minimal, device })).toEqual({
        device: 'expected names separated by commas but received an empty one',
      });
    }
    for (const device of ['cpu,Vulkan0', 'cuda,AUTO']) {
      expect(problemsOf({ ...minimal, device })).toEqual({
        device: "expected 'auto' and 'cpu' alone but received one of them among other names",
      });
    }
    expect(problemsOf({ ...minimal, rpc: ['a:1', 'b:1', 'a:1'] })).toEqual({
      rpc: 'expected different servers but received one of them twice',
    });
    expect(problemsOf({ ...minimal, placement: 'ffn_=cpu and experts-on-cpu' })).toHaveProperty(
      'placement',
    );
    expect(problemsOf({ ...minimal, rpc: ['nohost', 'a:0', 'a:70000'] })).toMatchObject({
      'rpc.0': "expected 'host:port'",
      'rpc.1': "expected 'host:port'",
      'rpc.2': "expected 'host:port'",
    });
    expect(problemsOf({ ...minimal, tensorSplit: [0, 0] })).toMatchObject({
      tensorSplit: 'expected a number above 0 but received only zeros',
    });
    const loaded = { path: 'base.gguf', dispose: async () => {} };
    expect(
      Object.keys(problemsOf({ ...minimal, model: loaded, gpuLayers: 3, device: 'cuda' })),
    ).toEqual(['device', 'gpuLayers']);
  });

  it('reports all problems at once, of fields and of rules between fields', () => {
    const problems = problemsOf({
      dataset: 3,
      output: '',
      lora: { rank: 'eight', alpha: -1, rnak: 4 },
      batchSize: 6,
      microBatchSize: 4,
      epochs: 1.5,
      optimizer: { learningRate: 1e-5, weightDecay: 2 },
      scheduler: { type: 'cosin', warmupSteps: 3, warmupRatio: 0.1, minLearningRate: 1e-3 },
      validation: {},
      maxSteps: 2,
      treads: 2,
    });
    expect(problems).toEqual({
      model: 'expected path of a GGUF file, or a loaded model but received nothing',
      dataset:
        'expected path, file URL or pattern of dataset files, { path, weight }, a list of them, or an iterable of rows but received 3',
      output: 'expected a text that is not empty but received an empty text',
      'lora.rank': "expected a number but received 'eight'",
      'lora.alpha': 'expected a number of more than 0 but received -1',
      'lora.rnak': "expected a known option but received 'rnak'; did you mean 'rank'?",
      epochs: 'expected an integer but received 1.5',
      microBatchSize: 'expected a divisor of batchSize (6) but received 4',
      'optimizer.weightDecay': 'expected a number of at most 1 but received 2',
      'scheduler.type': expect.stringMatching(/^expected 'cosine' or .* but received 'cosin'$/),
      scheduler: 'expected warmupSteps or warmupRatio but received both',
      'scheduler.minLearningRate':
        'expected at most optimizer.learningRate (0.00001) but received 0.001',
      'scheduler.warmupSteps': 'expected less than maxSteps (2) but received 3',
      validation: 'expected split or dataset but received neither',
      treads: "expected a known option but received 'treads'; did you mean 'threads'?",
    });
  });

  it('refuses all options of another optimizer, even if they equal the default', () => {
    const of = (optimizer: object) => problemsOf({ ...minimal, optimizer });
    expect(of({ type: 'sgd', beta1: 0.9, epsilon: 1e-7, momentum: 0.8 })).toEqual({
      'optimizer.beta1': "expected no optimizer.beta1 with optimizer.type 'sgd' but received 0.9",
      'optimizer.epsilon':
        "expected no optimizer.epsilon with optimizer.type 'sgd' but received 1e-7",
    });
    expect(of({ momentum: 0.9 })).toEqual({
      'optimizer.momentum':
        "expected no optimizer.momentum with optimizer.type 'adamw' but received 0.9",
    });
    expect(of({ type: 'sgd', momentum: 0, weightDecay: 0.1 })).toEqual({});
    expect(of({ type: 'adam', momentum: 0 })).toEqual({
      'optimizer.type': expect.stringMatching(/^expected 'adamw' or .* but received 'adam'$/),
    });
  });

  it('refuses a minimum learning rate with a schedule that has no decay', () => {
    const of = (scheduler: object) => problemsOf({ ...minimal, scheduler });
    expect(of({ type: 'constant', minLearningRate: 0 })).toEqual({
      'scheduler.minLearningRate':
        "expected no scheduler.minLearningRate with scheduler.type 'constant' but received 0",
    });
    expect(of({ type: 'constant', warmupRatio: 0.1 })).toEqual({});
    expect(of({ type: 'linear', minLearningRate: 1e-6 })).toEqual({});
  });

  it('names every option without effect at once', () => {
    const problems = problemsOf({
      ...minimal,
      mode: 'full',
      lora: { rank: 8, targets: ['attn_q', 'attn_v'] },
      optimizer: { type: 'sgd', beta2: 0.9 },
      scheduler: { type: 'constant', minLearningRate: 1e-6 },
    });
    expect(Object.keys(problems).sort()).toEqual([
      ...['lora.rank', 'lora.targets', 'optimizer.beta2', 'scheduler.minLearningRate'],
    ]);
  });

  it('gives only the options that have an effect, and accepts them again', () => {
    const sgd = parseConfig(finetuneSchema, {
      ...minimal,
      optimizer: { type: 'sgd' },
      scheduler: { type: 'constant' },
    });
    expect(sgd.optimizer).toEqual({
      ...{ type: 'sgd', learningRate: 1e-4, momentum: 0.9, weightDecay: 0.01, maxGradientNorm: 1 },
    });
    expect(sgd.scheduler).toEqual({ type: 'constant' });
    const full = parseConfig(finetuneSchema, { ...minimal, mode: 'full' });
    expect(full).not.toHaveProperty('lora');
    const placed = parseConfig(finetuneSchema, { ...minimal, placement: 'experts-on-cpu' });
    for (const config of [sgd, full, placed]) {
      expect(parseConfig(finetuneSchema, config)).toEqual(config);
    }
  });

  it('checks the options of the objective', () => {
    const of = (objective: object) => problemsOf({ ...minimal, objective });
    expect(of({ labelSmoothing: 0.1 })).toEqual({});
    expect(of({ labelSmoothing: 1 })).toEqual({
      'objective.labelSmoothing': 'expected a number of less than 1 but received 1',
    });
    expect(of({ labelSmoothing: -0.1 })).toHaveProperty(['objective.labelSmoothing']);
    expect(of({ type: 'hinge' })).toEqual({
      'objective.type': "expected 'cross-entropy' but received 'hinge'",
    });
  });

  it('refuses an initialization of an adapter that is continued', () => {
    const lora = { initAdapter: 'a.gguf', init: 'kaiming-uniform' };
    expect(problemsOf({ ...minimal, lora })).toEqual({
      'lora.init': 'expected no lora.init with lora.initAdapter but received kaiming-uniform',
    });
  });

  it.each([
    ['optimizer.type', 'native/optim/optimizers'],
    ['objective.type', 'native/loss/objectives'],
    ['lora.init', 'native/adapter/inits'],
  ])('%s has a choice for each file in %s', (option, folder) => {
    const files = readdirSync(folder).map((file) => file.replace('.cpp', ''));
    const found = describeOptions(finetuneSchema).find(({ path }) => path === option);
    expect([...(found?.choices ?? [])].sort()).toEqual(files.sort());
  });

  it('does not coerce types', () => {
    const problems = problemsOf({
      ...minimal,
      epochs: '3',
      packing: 1,
      lora: { targets: 'attn_q' },
    });
    expect(Object.keys(problems).sort()).toEqual(['epochs', 'lora.targets', 'packing']);
    expect(problemsOf({ ...minimal, optimizer: { learningRate: Number.NaN } })).toHaveProperty([
      'optimizer.learningRate',
    ]);
  });

  it('rejects values that are not objects', () => {
    for (const input of [undefined, null, 3, 'x']) expect(problemsOf(input)).toHaveProperty(['']);
  });

  it('rejects adapter options with mode full', () => {
    expect(problemsOf({ ...minimal, mode: 'full' })).toEqual({});
    expect(problemsOf({ ...minimal, mode: 'full', lora: { rank: 4 } })).toEqual({
      'lora.rank': "expected no lora.rank with mode 'full' but received 4",
    });
  });

  it('requires either a split or a validation dataset', () => {
    const both = { split: 0.1, dataset: 'b.jsonl' };
    expect(problemsOf({ ...minimal, validation: both })).toEqual({
      validation: 'expected split or dataset but received both',
    });
    expect(problemsOf({ ...minimal, validation: { dataset: 'b.jsonl' } })).toEqual({});
  });

  it('returns new defaults for each call', () => {
    const once = parseConfig(finetuneSchema, minimal);
    once.lora?.targets?.push('output');
    expect(parseConfig(finetuneSchema, minimal).lora?.targets).not.toContain('output');
  });
});
