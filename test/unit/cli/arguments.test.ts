import { describe, expect, it } from 'vitest';
import { parseArguments, refusePositionals } from '../../../src/cli/arguments.js';
import type { CliOption, OptionKind } from '../../../src/cli/option.js';

const option = (name: string, kind: OptionKind, short?: string): CliOption => ({
  name,
  kind,
  description: '',
  typeText: kind,
  short,
});
const options = [
  option('model', 'text'),
  option('lora.rank', 'number'),
  option('lora.targets', 'list'),
  option('packing', 'boolean'),
  option('shuffle', 'boolean'),
  option('stop', 'texts'),
  option('adapters', 'adapters'),
  option('dataset', 'datasets'),
  option('tensorSplit', 'numbers'),
  option('placement', 'placement'),
  option('messages', 'json'),
  option('help', 'boolean', 'h'),
];
const parse = (...args: string[]) => parseArguments(args, options, 'finetune');
const values = (...args: string[]) => Object.fromEntries(parse(...args).values);

describe('parseArguments', () => {
  it('reads each kind of value, in both spellings', () => {
    expect(values('--model', 'a.gguf', '--lora.rank=8', '--packing', '--no-shuffle', '-h')).toEqual(
      { model: 'a.gguf', 'lora.rank': 8, packing: true, shuffle: false, help: true },
    );
    expect(values('--lora.rank', '1e2')).toEqual({ 'lora.rank': 100 });
    expect(values('--lora.rank=-1')).toEqual({ 'lora.rank': -1 });
    expect(values('--messages', '[{"role":"user","content":"hi"}]')).toEqual({
      messages: [{ role: 'user', content: 'hi' }],
    });
  });

  it('reads dataset files, with weights', () => {
    expect(values('--dataset', 'a,b.jsonl')).toEqual({ dataset: 'a,b.jsonl' });
    expect(values('--dataset', 'a.jsonl@2')).toEqual({ dataset: { path: 'a.jsonl', weight: 2 } });
    expect(values('--dataset', 'a.jsonl', '--dataset', 'b.jsonl@0.5')).toEqual({
      dataset: ['a.jsonl', { path: 'b.jsonl', weight: 0.5 }],
    });
  });

  it.each([
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['2.5E-1', 0.25],
    ['1e+2', 100],
    ['+2', 2],
    ['-.5', -0.5],
    ['0', 0],
  ])('reads the weight or scale @%s', (text, number) => {
    expect(values('--dataset', `a@b.jsonl@${text}`)).toEqual({
      dataset: { path: 'a@b.jsonl', weight: number },
    });
    expect(values('--adapters', `a.gguf@${text}`)).toEqual({
      adapters: [{ path: 'a.gguf', scale: number }],
    });
  });

  it.each(['a@', 'a@.', 'a@e3', 'a@1e', 'a@1.2.3', '@1', 'a@0x10', 'a@2/b.jsonl'])(
    'reads %s as a file name',
    (name) => {
      expect(values('--dataset', name)).toEqual({ dataset: name });
    },
  );

  it('reads lists with commas, by repetition, or both', () => {
    expect(values('--lora.targets', 'attn_q, attn_v', '--lora.targets=ffn_up')).toEqual({
      'lora.targets': ['attn_q', 'attn_v', 'ffn_up'],
    });
    // A stop sequence may contain a comma.
    expect(values('--stop', 'a,b', '--stop', '\n')).toEqual({ stop: ['a,b', '\n'] });
  });

  it('reads adapters with and without a scale', () => {
    expect(values('--adapters', 'a.gguf@0.5,b.gguf', '--adapters', 'c@home/d.gguf')).toEqual({
      adapters: [{ path: 'a.gguf', scale: 0.5 }, 'b.gguf', 'c@home/d.gguf'],
    });
  });

  it('reads the split and placement of a model', () => {
    expect(values('--tensorSplit', '3,1.5', '--tensorSplit', 'x')).toEqual({
      tensorSplit: [3, 1.5, 'x'],
    });
    expect(values('--placement', 'experts-on-cpu')).toEqual({ placement: 'experts-on-cpu' });
    expect(values('--placement', 'ffn_=cpu', '--placement', 'a=b$=10.0.0.1:50052')).toEqual({
      placement: { ffn_: 'cpu', 'a=b$': '10.0.0.1:50052' },
    });
    expect(values('--placement', 'ffn_=cpu', '--placement', 'experts-on-cpu')).toEqual({
      placement: 'ffn_=cpu and experts-on-cpu', // which the schema refuses
    });
  });

  it('accepts a word in place of a flag', () => {
    expect(values('--packing=auto')).toEqual({ packing: 'auto' });
  });

  it('keeps invalid numbers and JSON as text, for the validation of the configuration', () => {
    expect(values('--lora.rank', 'eight', '--messages', '{')).toEqual({
      'lora.rank': 'eight',
      messages: '{',
    });
  });

  it('keeps positional arguments', () => {
    expect(parse('a', '--packing', 'b').positionals).toEqual(['a', 'b']);
    expect(() => refusePositionals(parse('a b'), 'finetune')).toThrow(
      expect.objectContaining({
        code: 'USAGE_INVALID',
        message: expect.stringContaining("'a b'"),
      }),
    );
    expect(() => refusePositionals(parse('--packing'), 'finetune')).not.toThrow();
  });

  it.each([
    [['--modle', 'x'], 'received --modle', 'did you mean --model?'],
    [['--rank', '8'], 'received --rank', 'did you mean --lora.rank?'],
    [['--no-shufle'], 'received --no-shufle', 'did you mean --shuffle?'],
    [['--quantum'], 'received --quantum', "run 'llamatune finetune --help'"],
    [['--model'], 'expected a value after --model', "run 'llamatune finetune --help'"],
    [['--model', 'a', '--model', 'b'], 'expected --model once but received it 2 times', ''],
    [['--no-model'], 'expected a value for --model but received --no-model', ''],
  ])('refuses %j', (args, message, hint) => {
    expect(() => parse(...args)).toThrow(
      expect.objectContaining({
        code: 'USAGE_INVALID',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      }),
    );
  });
});
