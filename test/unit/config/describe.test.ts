import { describe, expect, it } from 'vitest';
import { benchSchema } from '../../../src/config/bench.js';
import { createModelSchema } from '../../../src/config/create-model.js';
import { describeOptions } from '../../../src/config/describe.js';
import { finetuneSchema } from '../../../src/config/finetune.js';
import { generateSchema } from '../../../src/config/generate.js';

const schemas = { finetuneSchema, generateSchema, benchSchema, createModelSchema };
const option = (schema: keyof typeof schemas, path: string) =>
  describeOptions(schemas[schema]).find((each) => each.path === path);

describe('describeOptions', () => {
  it('names every option with its type, default and description', () => {
    expect(option('finetuneSchema', 'lora.rank')).toEqual({
      path: 'lora.rank',
      type: 'integer >= 1, <= 4096',
      description: 'LoRA rank r.',
      default: 8,
      required: false,
      kind: 'number',
      choices: [],
    });
    expect(option('finetuneSchema', 'model')).toMatchObject({ required: true, kind: 'string' });
    expect(option('finetuneSchema', 'loss')).toMatchObject({
      type: "'all' | 'assistant' | 'last-assistant' | 'completion'",
      kind: 'string',
      choices: ['all', 'assistant', 'last-assistant', 'completion'],
      default: 'assistant',
    });
    expect(option('finetuneSchema', 'lora.targets')).toMatchObject({
      type: 'array of string',
      kind: 'list',
    });
    expect(option('finetuneSchema', 'shuffle')).toMatchObject({ kind: 'boolean', default: true });
    expect(option('finetuneSchema', 'gradientCheckpointing')).toMatchObject({
      type: "'auto' | boolean",
      kind: 'boolean',
      choices: ['auto'],
      default: 'auto',
    });
    expect(option('finetuneSchema', 'gpuLayers')).toMatchObject({
      type: "integer >= 0 | 'all'",
      kind: 'number',
      choices: ['all'],
      default: 'all',
    });
    expect(option('finetuneSchema', 'signal')).toMatchObject({ kind: 'none' });
    expect(option('finetuneSchema', 'checkpoint.directory')).toMatchObject({ required: false });
    expect(option('generateSchema', 'messages')).toMatchObject({ kind: 'json' });
    expect(option('generateSchema', 'adapters')).toMatchObject({ kind: 'list' });
    expect(option('benchSchema', 'training.lora.rank')).toMatchObject({ default: 8 });
  });

  it.each(Object.keys(schemas) as (keyof typeof schemas)[])('describes all of %s', (name) => {
    const options = describeOptions(schemas[name]);
    expect(options.length).toBeGreaterThan(5);
    for (const { path, description, type } of options) {
      expect(description, path).not.toBe('');
      expect(type, path).not.toBe('any');
    }
    expect(new Set(options.map(({ path }) => path)).size).toBe(options.length);
  });
});
