import { existsSync, linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { inspectDataset } from '../../src/index.js';
import { folderPerTest } from '../folder-per-test.js';
import { jsonLines, llamatune, root } from './command-line.js';

const model = join(root, 'vendor', 'llama.cpp', 'models', 'ggml-vocab-qwen2.gguf');
const at = folderPerTest();
const talk = (question: string, answer: string) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
});
const rows = [
  talk('Hi', 'Yes.'),
  talk('Hi', 'Yes.'),
  talk('Hi', ' '),
  talk('Count', 'one two three '.repeat(20)),
  talk('Hi', ''),
  { prompt: 'Say', completion: ' it' },
  { text: 'no answer' },
];
beforeEach(() => {
  writeFileSync(at('train.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});

const options = { model, chatTemplate: 'chatml', sequenceLength: 32 };

describe('inspectDataset', () => {
  it('tells what training would make of the rows, with only a vocabulary', async () => {
    const path = at('train.jsonl');
    const result = await inspectDataset({ ...options, dataset: path, preview: 1 });
    expect(result).toMatchObject({
      ...{ files: [path], rows: 7, samples: 4 },
      forms: { chat: 4, completion: 1, text: 0, tokens: 0 },
      tooLong: { rows: 1, refused: 1, examples: [{ where: `${path}:4` }] },
      duplicates: { rows: 1, examples: [{ where: `${path}:2`, detail: `repeats ${path}:1` }] },
      suspicious: [{ code: 'EMPTY_ANSWER', rows: 1, examples: [{ where: `${path}:3` }] }],
    });
    expect(result.badRows.map(({ code }) => code)).toEqual([
      'DATASET_INVALID_ROW',
      'DATASET_NO_TARGET',
    ]);
    expect(result.lengths!.longest).toBeGreaterThan(60);
    expect(result.preview).toMatchObject([
      {
        where: `${path}:1`,
        parts: [
          { text: '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n', weight: 0 },
          { text: 'Yes.<|im_end|>', weight: 1 },
          { text: '\n', weight: 0 },
        ],
      },
    ]);
    const [free, packed, padded] = result.layouts;
    expect([free, packed, padded].map((each) => each!.layout)).toEqual([
      ...['padding-free', 'packed', 'padded'],
    ]);
    expect(padded).toMatchObject({ computedTokens: 4 * 32, padding: 1 - result.tokens / (4 * 32) });
    expect(free!.padding).toBeLessThan(padded!.padding);
  });

  it('says what overlength does, and takes rows from memory', async () => {
    const cut = await inspectDataset({ ...options, dataset: rows, overlength: 'truncate' });
    expect(cut).toMatchObject({ files: [], samples: 5, tooLong: { truncated: 1, answersCut: 1 } });
    const split = await inspectDataset({ ...options, dataset: rows, overlength: 'split' });
    expect(split.tooLong).toMatchObject({ split: 1, refused: 0 });
    expect(split.samples).toBeGreaterThan(6);
    const skip = await inspectDataset({ ...options, dataset: rows, overlength: 'skip' });
    expect(skip).toMatchObject({ samples: 4, tooLong: { skipped: 1 } });
  });

  it('ends at once when it is aborted, and names a missing file', async () => {
    const signal = AbortSignal.abort();
    const aborted = inspectDataset({ ...options, dataset: rows, signal });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    const missing = inspectDataset({ ...options, dataset: at('none.jsonl') });
    await expect(missing).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
  });

  it('keeps its memory for 15,000 rows', async () => {
    function* many() {
      for (let i = 0; i < 15_000; i++) yield { text: `row ${i} ${'x'.repeat(200)}` };
    }
    const before = process.memoryUsage().rss;
    const result = await inspectDataset({
      ...options,
      dataset: many(),
      loss: 'all',
      sequenceLength: 256,
    });
    expect(result).toMatchObject({ rows: 15_000, duplicates: { rows: 0, remembered: 15_000 } });
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });
});

describe('llamatune inspect data', () => {
  const command = (...more: string[]) => [
    ...['inspect', 'data', '--model', model, '--dataset', at('train.jsonl')],
    ...['--chatTemplate', 'chatml', '--sequenceLength', '32', ...more],
  ];

  it('prints what is learned in brackets without a terminal', async () => {
    const { exit, stdout, stderr } = await llamatune(command());
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toContain('<|im_start|>assistant\n⟦Yes.<|im_end|>⟧');
    expect(stdout).toContain('EMPTY_ANSWER: 1 row');
    expect(stdout).not.toContain('\x1b');
  });

  it('prints JSON, and writes a page', async () => {
    const { exit, stdout } = await llamatune(command('--json', '--html', at('page.html')));
    expect(exit).toBe(0);
    expect(jsonLines(stdout)).toMatchObject([{ type: 'dataset', rows: 7, preview: { length: 3 } }]);
    expect(readFileSync(at('page.html'), 'utf8')).toContain('<mark>Yes.&lt;|im_end|&gt;</mark>');
    expect(readdirSync(at('.')).sort()).toEqual(['page.html', 'train.jsonl']);
  });

  it('never writes the page over the dataset', async () => {
    const before = readFileSync(at('train.jsonl'), 'utf8');
    linkSync(at('train.jsonl'), at('link.html'));
    const { exit, stderr } = await llamatune(command('--html', at('link.html')));
    expect(exit).toBe(1);
    expect(stderr).toContain('OUTPUT_CONFLICT');
    expect(readFileSync(at('train.jsonl'), 'utf8')).toBe(before);
  });

  it('has its own help, and refuses unknown options', async () => {
    const help = await llamatune(['inspect', 'data', '--help']);
    expect(help.stdout).toMatch(/^Usage: llamatune inspect data --model <path> --dataset <path>/);
    expect(help.stdout).toContain('--html <path>');
    const { exit, stderr } = await llamatune(command('--htlm', at('x.html')));
    expect(exit).toBe(2);
    expect(stderr).toContain('did you mean --html?');
    expect(existsSync(at('x.html'))).toBe(false);
  });
});
