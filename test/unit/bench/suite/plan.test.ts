import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkTrials } from '../../../../src/bench/suite/check-suite.js';
import { nestedOptions } from '../../../../src/bench/suite/options.js';
import { combinations, planTrials } from '../../../../src/bench/suite/plan.js';
import { isShape } from '../../../../src/bench/suite/shapes.js';
import { SUITES } from '../../../../src/bench/suite/suites.js';
import { parseConfig } from '../../../../src/config/parse.js';
import { type SuiteOptions, suiteSchema } from '../../../../src/config/suite.js';
import type { LlamatuneError } from '../../../../src/errors.js';
import { root } from '../../../layout/source-files.js';

const plan = (suite: SuiteOptions) => planTrials(parseConfig(suiteSchema, suite));

const weightTypes = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'];
/** Checks a suite. */
function check(options: SuiteOptions): void {
  const suite = parseConfig(suiteSchema, options);
  checkTrials(suite, planTrials(suite), weightTypes);
}

/** The problems of a suite. */
function problemsOf(options: SuiteOptions): LlamatuneError['problems'] {
  try {
    check(options);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as LlamatuneError).problems;
  }
  return [];
}

describe('combinations', () => {
  it('are all of them, the last option varying fastest', () => {
    expect(combinations({ a: [1, 2], b: ['x', 'y'] })).toEqual([
      { a: 1, b: 'x' },
      { a: 1, b: 'y' },
      { a: 2, b: 'x' },
      { a: 2, b: 'y' },
    ]);
    expect(combinations({})).toEqual([{}]);
  });
});

describe('suiteSchema', () => {
  it('refuses a time limit that timers cannot keep', () => {
    const limited = (minutes: number) =>
      plan({ ...SUITES.smoke, models: ['m.gguf'], limits: { minutes } } as SuiteOptions);
    expect(limited(30_000).length).toBeGreaterThan(0);
    expect(30_000 * 60_000).toBeLessThan(2 ** 31);
    expect(() => limited(40_000)).toThrow('limits.minutes: expected a number of at most 30000');
  });
});

describe('shapes of a suite', () => {
  const checkShape = (model: string) =>
    check({ name: 's', models: [model], benchmarks: [{ task: 'inference' }] });

  it('are refused before the first trial if they cannot be made', () => {
    expect(() => checkShape('shape:qwen3-0.6b,layers=2')).not.toThrow();
    expect(() => checkShape('shape:qwen3-0.6b,layers=1000')).toThrow(
      'layers: expected a number of at most 512',
    );
    expect(() => checkShape('shape:qwen3-0.6b,heads=3')).toThrow(/models: .*[hH]eads/);
    expect(() => checkShape('shape:qwen3-0.6b,vocabularySize=10')).toThrow(
      'vocabularySize: expected at least 257 but received 10',
    );
    expect(() => checkShape('shape:qwen3-30b-a3b,experts=4')).toThrow('expertsPerToken');
  });
});

describe('nestedOptions', () => {
  it('builds objects from dotted names and changes no input', () => {
    const lora = { rank: 4 };
    expect(nestedOptions({ lora, 'lora.alpha': 8, seed: 1 })).toEqual({
      lora: { rank: 4, alpha: 8 },
      seed: 1,
    });
    expect(lora).toEqual({ rank: 4 });
  });
});

describe('planTrials', () => {
  it('is a matrix of models, weight types, devices and varied options', () => {
    const trials = plan({
      name: 'matrix',
      models: ['a.gguf', 'b.gguf'],
      weightTypes: ['F16', 'Q8_0'],
      devices: ['cpu', 'vulkan'],
      benchmarks: [{ task: 'training', vary: { 'lora.rank': [4, 8, 16] } }],
    });
    expect(trials).toHaveLength(2 * 2 * 2 * 3);
    expect(new Set(trials.map(({ key }) => key)).size).toBe(24);
    expect(trials[1]).toMatchObject({
      key: 'training | a | F16 | cpu | lora.rank 8',
      varied: { 'lora.rank': 8 },
      spec: { options: { 'lora.rank': 8 }, device: 'cpu', weightType: 'F16' },
    });
  });

  it('names models without folders, and keeps names unique', () => {
    const keys = plan({
      name: 'two',
      models: ['/home/x/m.gguf', '/home/y/m.gguf'],
      benchmarks: [{ task: 'inference' }],
    }).map(({ key }) => key);
    expect(keys).toEqual(['inference | m | as-is | auto', 'inference | m | as-is | auto | 2']);
  });

  it('lets a benchmark choose its models, weight types and devices', () => {
    const trials = plan({
      name: 'own',
      models: ['a.gguf'],
      weightTypes: ['F16', 'F32'],
      benchmarks: [{ task: 'inference', weightTypes: ['Q4_0'], models: ['c.gguf'] }],
    });
    expect(trials.map(({ spec }) => [spec.model, spec.weightType])).toEqual([['c.gguf', 'Q4_0']]);
  });

  it('repeats runs, and compares methods with their own weight types', () => {
    const trials = plan({
      name: 'tasks',
      models: ['a.gguf'],
      weightTypes: ['F16', 'F32'],
      benchmarks: [
        { task: 'reproducibility', runs: 3, weightTypes: ['F16'] },
        {
          task: 'methods',
          methods: [
            { name: 'full', mode: 'full', weightType: 'F32' },
            { name: 'LoRA', weightType: 'Q8_0', options: { 'lora.rank': 2 } },
          ],
        },
      ],
    });
    expect(trials.map(({ label, spec }) => [label, spec.weightType, spec.options])).toEqual([
      ['run 1', 'F16', {}],
      ['run 2', 'F16', {}],
      ['run 3', 'F16', {}],
      ['full', 'F32', { mode: 'full' }],
      ['LoRA', 'Q8_0', { mode: 'lora', 'lora.rank': 2 }],
    ]);
  });

  it('alternates runs here and with PEFT', () => {
    const trials = plan({
      name: 'peft',
      models: ['shape:qwen3-0.6b'],
      benchmarks: [{ task: 'peft', rounds: 2, rank: 4 }],
    });
    expect(trials.map(({ label, spec }) => [label, spec.kind])).toEqual([
      ['llamatune, round 1', 'training'],
      ['PEFT, round 1', 'peft'],
      ['llamatune, round 2', 'training'],
      ['PEFT, round 2', 'peft'],
    ]);
    expect(trials[0]!.spec.options['lora.rank']).toBe(4);
  });

  it('names the field of a comparison with PEFT that is wrong', () => {
    const models = ['shape:gemma3-1b'];
    const unknown = expect.stringContaining('expected shapes of the architectures llama and qwen3');
    expect(problemsOf({ name: 'peft', models, benchmarks: [{ task: 'peft' }] })).toEqual([
      { path: 'models', message: unknown },
    ]);
    const own = { task: 'peft' as const, models, rank: 5000, devices: ['cpu,cuda'] };
    const paths = problemsOf({
      name: 'peft',
      models: ['shape:qwen3-0.6b'],
      benchmarks: [{ task: 'inference' }, own],
    }).map(({ path }) => path);
    expect(paths.toSorted()).toEqual([
      'benchmarks.1.devices',
      'benchmarks.1.models',
      'benchmarks.1.rank',
    ]);
  });

  it.each(Object.keys(SUITES) as (keyof typeof SUITES)[])('can plan the suite %s', (name) => {
    const trials = plan(SUITES[name]);
    expect(() => check(SUITES[name])).not.toThrow();
    expect(new Set(trials.map(({ key }) => key)).size).toBe(trials.length);
  });
});

describe('the suites of the examples', () => {
  const examples = join(root, 'examples', 'suites');
  it.each(readdirSync(examples))('%s can be planned, and its files exist', (file) => {
    const suite = JSON.parse(readFileSync(join(examples, file), 'utf8'));
    check(suite);
    for (const { spec } of plan(suite)) {
      const data = spec.kind === 'training' ? [spec.dataset, spec.validation] : [];
      const model = isShape(spec.model) ? null : spec.model;
      for (const path of [...data, model])
        if (path !== null) expect(existsSync(resolve(root, path)), path).toBe(true);
    }
  });
});

describe('a suite with mistakes', () => {
  it('names the tasks there are', () => {
    const suite = { name: 'x', models: ['a'], benchmarks: [{ task: 'infer' }] };
    expect(() => parseConfig(suiteSchema, suite)).toThrow(
      /benchmarks\.0\.task: expected 'inference' or 'training' or .* but received 'infer'/,
    );
  });

  it('names every wrong option of every benchmark at once', () => {
    const problems = problemsOf({
      name: 'wrong',
      models: ['a.gguf'],
      benchmarks: [
        { task: 'inference', options: { temprature: 1, prompts: ['x'] } },
        { task: 'training', options: { output: 'x.gguf' }, vary: { 'lora.rank': [0, 8] } },
        { task: 'training', id: 'two', options: { batchSize: 0 } },
        {
          task: 'methods',
          options: { seed: -1 },
          methods: [
            { name: 'one', weightType: 'F16' },
            { name: 'two', weightType: 'Q8_0', options: { lora: { rank: 0 } } },
          ],
        },
      ],
    });
    expect(problems.map(({ path }) => path)).toEqual([
      'benchmarks.0.options.prompts',
      'benchmarks.0.options.temprature',
      'benchmarks.1.options.output',
      'benchmarks.1.vary.lora.rank',
      'benchmarks.2.options.batchSize',
      'benchmarks.3.options.seed',
      'benchmarks.3.methods.1.options.lora.rank',
    ]);
  });

  it('names weight types that do not exist, where they are given', () => {
    const message = (type: string) =>
      `expected 'as-is' or one of F32, F16, BF16, Q8_0, Q4_0 but received '${type}'`;
    const problems = problemsOf({
      name: 'types',
      models: ['a.gguf'],
      weightTypes: ['q8_0', 'as-is', 'Q9_9'],
      benchmarks: [
        { task: 'inference' },
        { task: 'training', weightTypes: ['Q8'] },
        {
          task: 'methods',
          methods: [
            { name: 'one', weightType: 'F16' },
            { name: 'two', weightType: '4-bit' },
          ],
        },
      ],
    });
    expect(problems).toEqual([
      { path: 'weightTypes', message: message('Q9_9') },
      { path: 'benchmarks.1.weightTypes', message: message('Q8') },
      { path: 'benchmarks.2.methods.1.weightType', message: message('4-bit') },
    ]);
  });

  it('has benchmarks of one name', () => {
    const suite = {
      name: 'x',
      models: ['a'],
      benchmarks: [{ task: 'inference' }, { task: 'inference' }],
    };
    expect(() => parseConfig(suiteSchema, suite)).toThrow(/benchmarks\.1\.id/);
  });
});
