import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseArguments } from '../../../src/cli/arguments.js';
import { configurationOf, nested } from '../../../src/cli/configuration.js';
import { cliOptions, commonOptions } from '../../../src/cli/option.js';
import { describeOptions } from '../../../src/config/describe.js';
import { finetuneSchema } from '../../../src/config/finetune.js';

const directory = mkdtempSync(join(tmpdir(), 'llamatune-cli-'));
afterAll(() => rmSync(directory, { recursive: true }));

const options = [...cliOptions(describeOptions(finetuneSchema)), ...commonOptions];
const excludedOptions = new Set(commonOptions.map(({ name }) => name));
const configuration = (...args: string[]) =>
  configurationOf(parseArguments(args, options, 'finetune'), excludedOptions);

function file(name: string, content: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('configurationOf', () => {
  it('overrides single fields of the file with command-line options', () => {
    const path = file('config.json', {
      model: 'a.gguf',
      epochs: 2,
      lora: { rank: 4, alpha: 8, targets: ['attn_q'] },
      optimizer: { learningRate: 1e-3 },
    });
    expect(
      configuration(
        ...['--config', path, '--lora.rank', '16', '--lora.targets', 'attn_k,attn_v'],
        ...['--output', 'b.gguf', '--json', '--no-shuffle'],
      ),
    ).toEqual({
      model: 'a.gguf',
      output: 'b.gguf',
      epochs: 2,
      shuffle: false,
      lora: { rank: 16, alpha: 8, targets: ['attn_k', 'attn_v'] },
      optimizer: { learningRate: 1e-3 },
    });
  });

  it('uses the command-line options only without a file', () => {
    expect(configuration('--model', 'a', '--optimizer.learningRate', '1e-4')).toEqual({
      model: 'a',
      optimizer: { learningRate: 1e-4 },
    });
  });

  it.each([
    ['missing.json', undefined, 'CONFIG_NOT_FOUND'],
    ['text.json', 'lora: 8', 'CONFIG_INVALID_JSON'],
    ['array.json', '[]', 'CONFIG_INVALID_JSON'],
  ])('refuses %s', (name, content, code) => {
    const path = content === undefined ? join(directory, name) : file(name, content);
    expect(() => configuration('--config', path)).toThrow(expect.objectContaining({ code }));
  });
});

describe('nested', () => {
  it('builds objects from dotted names', () => {
    expect(
      nested([
        ['a.b.c', 1],
        ['a.b.d', 2],
        ['e', 3],
      ]),
    ).toEqual({ a: { b: { c: 1, d: 2 } }, e: 3 });
  });
});
