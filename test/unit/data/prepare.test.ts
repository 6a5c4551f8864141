import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { abortedError } from '../../../src/contract/run.js';
import { type PrepareOptions, prepareDataset } from '../../../src/data/prepare.js';
import { ByteModel } from './byte-model.js';
import { readTokenFile } from './read-token-file.js';
import { temporaryDirectory } from './temporary.js';

type Given = Partial<PrepareOptions> & Pick<PrepareOptions, 'dataset'>;

const prepare = (given: Given) =>
  prepareDataset({
    model: new ByteModel(),
    directory: temporaryDirectory(),
    loss: 'all',
    sequenceLength: 64,
    seed: 42,
    ...given,
  });

const rows = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ text: `row ${i} ${'x'.repeat(i % 11)}` }));

const model = new ByteModel();
const textsOf = async (file: string) => readTokenFile(file).map(({ tokens }) => model.text(tokens));
const textOf = ({ text }: { text: string }) => `${text}</s>`;

describe('prepareDataset', () => {
  it('writes every row, in order, and counts', async () => {
    const given = rows(30);
    const { train, validation, counts } = await prepare({ dataset: given });
    const samples = readTokenFile(train.file);
    expect(await textsOf(train.file)).toEqual(given.map(textOf));
    const lengths = samples.map(({ tokens }) => tokens.length);
    const tokens = lengths.reduce((a, b) => a + b);
    expect(train).toMatchObject({
      samples: 30,
      tokens,
      targetTokens: tokens - 30,
      longest: Math.max(...lengths),
    });
    expect(validation).toBeNull();
    expect(counts).toEqual({
      ...{ truncated: 0, answersCut: 0, split: 0, skipped: 0 },
      badRows: { count: 0, first: '' },
      openEnds: { count: 0, first: '' },
    });
  });

  it('repeats the samples of a file by its weight', async () => {
    const folder = temporaryDirectory();
    const file = (name: string, count: number) => {
      const path = join(folder, name);
      const lines = Array.from({ length: count }, (_, i) =>
        JSON.stringify({ text: `${name} ${i}` }),
      );
      writeFileSync(path, lines.join('\n'));
      return path;
    };
    const dataset = [
      { path: file('twice', 10), weight: 2 },
      file('once', 10),
      { path: file('some', 40), weight: 0.25 },
      { path: file('more', 4), weight: 1.5 },
    ];
    const { train } = await prepare({ dataset });
    const texts = (await textsOf(train.file)).map((text) => text.replace('</s>', ''));
    const of = (name: string) => texts.filter((text) => text.startsWith(name));
    expect([of('twice'), of('once'), of('some'), of('more')].map(({ length }) => length)).toEqual([
      20, 10, 10, 6,
    ]);
    expect(new Set(of('twice')).size).toBe(10);
    expect(new Set(of('some')).size).toBe(10);
    expect(train.samples).toBe(46);
    const lengths = texts.map((text) => text.length + 1);
    expect(train.tokens).toBe(lengths.reduce((a, b) => a + b));
    // the same seed chooses the same samples
    const again = await prepare({ dataset });
    expect(await textsOf(again.train.file)).toEqual(await textsOf(train.file));
    const other = await prepare({ dataset, seed: 43 });
    expect(await textsOf(other.train.file)).not.toEqual(await textsOf(train.file));

    // no copy of a validation sample is trained on, and none is validated twice
    const split = await prepare({ dataset, validation: { split: 0.3 } });
    const held = await textsOf(split.validation!.file);
    expect(new Set(held).size).toBe(held.length);
    const trained = new Set(await textsOf(split.train.file));
    expect(held.filter((text) => trained.has(text))).toEqual([]);
  });

  it('refuses weights that leave nothing to train on', async () => {
    const path = join(temporaryDirectory(), 'a.jsonl');
    writeFileSync(path, '{"text":"x"}\n{"text":"y"}');
    await expect(prepare({ dataset: [{ path, weight: 0.1 }] })).rejects.toMatchObject({
      code: 'DATASET_EMPTY',
      message: expect.stringContaining('weights'),
    });
  });

  it('reads streams of rows', async () => {
    const given = rows(5);
    const { train } = await prepare({ dataset: ReadableStream.from(given) });
    expect(await textsOf(train.file)).toEqual(given.map(textOf));
  });

  it('writes the layout that native code maps', async () => {
    const dataset = [
      { tokens: [7, 8, 9], mask: [0, 1, 0] as const },
      { tokens: [10, 11], mask: [0, 1] as const },
    ];
    const { train } = await prepare({ dataset });
    const file = readFileSync(train.file);
    const bytes = new Uint8Array(file).buffer;
    expect(file.toString('latin1', 0, 8)).toBe('LTTOKEN2');
    expect([...new Uint32Array(bytes, 8, 2)]).toEqual([0x01020304, 1]);
    expect([...new BigUint64Array(bytes, 16, 5)]).toEqual([2n, 5n, 0n, 3n, 5n]);
    // Five tokens of four bytes are padded to a multiple of eight; the weights follow, a byte each.
    expect([...new Int32Array(bytes, 56, 6)]).toEqual([7, 8, 9, 10, 11, 0]);
    expect([...file.subarray(80)]).toEqual([0, 1, 0, 0, 1]);
  });

  it('writes weights other than 0 and 1 as 32-bit floats', async () => {
    const dataset = [
      { tokens: [7, 8, 9], weights: [1, 0.25, 2] },
      { tokens: [10, 11], mask: [0, 1] as const },
    ];
    const { train } = await prepare({ dataset });
    const file = new Uint8Array(readFileSync(train.file)).buffer;
    expect([...new Uint32Array(file, 8, 2)]).toEqual([0x01020304, 4]);
    expect([...new Float32Array(file, 80, 5)]).toEqual([0, 0.25, 2, 0, 1]);
    expect(train.targetTokens).toBe(3);
  });

  it('accepts paths, iterables and async iterables', async () => {
    const given = rows(5);
    const path = join(temporaryDirectory(), 'a.jsonl');
    writeFileSync(path, given.map((row) => JSON.stringify(row)).join('\n'));
    const sources = [
      path,
      given,
      new Set(given),
      (async function* () {
        yield* given;
      })(),
    ];
    for (const dataset of sources) {
      const { train } = await prepare({ dataset });
      expect(await textsOf(train.file)).toEqual(given.map(textOf));
    }
  });

  it('leaves only the token files', async () => {
    const directory = temporaryDirectory();
    await prepare({ dataset: rows(9), directory, validation: { split: 0.2 } });
    expect(readdirSync(directory).sort()).toEqual(['train.tokens', 'validation.tokens']);
  });

  it('handles samples larger than its buffers', async () => {
    const long = Array.from({ length: 700_000 }, (_, i) => 4 + (i % 250));
    const dataset = [{ text: 'a' }, { tokens: long }, { text: 'b' }];
    const { train } = await prepare({ dataset, sequenceLength: 1_000_000 });
    const samples = readTokenFile(train.file);
    expect(samples.map(({ tokens }) => tokens.length)).toEqual([2, 700_000, 2]);
    expect(samples[1]!.tokens).toEqual(long);
    expect(samples[1]!.weights.reduce((a, b) => a + b)).toBe(699_999);
  });
});

describe('validation', () => {
  it('a split puts each sample on one side, with the same result for the same seed', async () => {
    const given = rows(100);
    const once = await prepare({ dataset: given, validation: { split: 0.2 } });
    const again = await prepare({ dataset: given, validation: { split: 0.2 } });
    const other = await prepare({ dataset: given, validation: { split: 0.2 }, seed: 43 });
    const train = await textsOf(once.train.file);
    const held = await textsOf(once.validation!.file);
    expect([train.length, held.length]).toEqual([80, 20]);
    expect([once.train.samples, once.validation!.samples]).toEqual([80, 20]);
    expect([...train, ...held].sort()).toEqual(given.map(textOf).sort());
    expect(await textsOf(again.validation!.file)).toEqual(held);
    expect(await textsOf(other.validation!.file)).not.toEqual(held);
  });

  it('a split leaves at least one sample on each side', async () => {
    for (const split of [0.001, 0.999]) {
      const { train, validation } = await prepare({ dataset: rows(2), validation: { split } });
      expect([train.samples, validation?.samples]).toEqual([1, 1]);
    }
    await expect(prepare({ dataset: rows(1), validation: { split: 0.5 } })).rejects.toMatchObject({
      code: 'DATASET_TOO_SMALL',
    });
  });

  it('a separate dataset', async () => {
    const { train, validation } = await prepare({
      dataset: rows(4),
      validation: { dataset: [{ text: 'held out' }] },
    });
    expect(train.samples).toBe(4);
    expect(await textsOf(validation!.file)).toEqual(['held out</s>']);
  });
});

describe('samples that are too long', () => {
  const dataset = [{ text: 'short' }, { text: 'x'.repeat(20) }, { text: 'also' }];

  it('are an error with row, length and limit', async () => {
    await expect(prepare({ dataset, sequenceLength: 10 })).rejects.toMatchObject({
      code: 'SAMPLE_TOO_LONG',
      message: 'row 2: the sample has 21 tokens, more than sequenceLength (10)',
    });
  });

  it('are an error with the row if they do not fit into a micro-batch', async () => {
    const limits = { sequenceLength: 15, overlength: 'truncate', microBatchTokens: 10 } as const;
    await expect(prepare({ dataset, ...limits })).rejects.toMatchObject({
      code: 'SAMPLE_TOO_LONG',
      message: 'row 2: the sample has 15 tokens, more than microBatchTokens (10)',
      hint: expect.stringContaining('raise microBatchTokens'),
    });
    const validation = { dataset: [{ text: 'y'.repeat(12) }] };
    const held = prepare({ dataset: dataset.slice(0, 1), validation, ...limits });
    await expect(held).rejects.toMatchObject({
      message: 'row 1: the sample has 13 tokens, more than microBatchTokens (10)',
    });
    await prepare({ dataset, ...limits, microBatchTokens: 15 });
    await prepare({ dataset, ...limits, microBatchTokens: 'auto' });
  });

  it('are truncated or skipped on request, and counted', async () => {
    const cut = await prepare({ dataset, sequenceLength: 10, overlength: 'truncate' });
    expect(cut.counts).toMatchObject({ truncated: 1, answersCut: 1, skipped: 0 });
    expect(cut.train).toMatchObject({ samples: 3, longest: 10 });
    expect((await textsOf(cut.train.file))[1]).toBe('x'.repeat(10));
    const left = await prepare({ dataset, sequenceLength: 10, overlength: 'skip' });
    expect(left).toMatchObject({ counts: { truncated: 0, skipped: 1 }, train: { samples: 2 } });
  });

  const answers = [
    { prompt: 'a'.repeat(20), completion: 'b' },
    { prompt: 'a', completion: 'b' },
  ];
  const given = { dataset: answers, loss: 'completion', sequenceLength: 10 } as const;

  it('are skipped if truncation leaves no target token', async () => {
    const cut = await prepare({ ...given, overlength: 'truncate' });
    expect(cut.counts).toMatchObject({ truncated: 0, skipped: 1 });
    await expect(
      prepare({ ...given, dataset: answers.slice(0, 1), overlength: 'skip' }),
    ).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
  });

  it('keep their ends if the left side is truncated', async () => {
    const cut = await prepare({ ...given, overlength: 'truncate', truncationSide: 'left' });
    expect(cut.counts).toMatchObject({ truncated: 1, answersCut: 0, skipped: 0 });
    expect((await textsOf(cut.train.file))[0]).toBe('aaaaaaaab</s>');
  });

  it('are split into samples that each have a target', async () => {
    const rows = [{ prompt: 'p'.repeat(15), completion: 'c'.repeat(9) }];
    const split = await prepare({ ...given, dataset: rows, overlength: 'split' });
    // 15 + 9 + 1 tokens in pieces of 10; the first one has only prompt
    expect(split.counts).toMatchObject({ split: 1, truncated: 0, skipped: 0 });
    expect(await textsOf(split.train.file)).toEqual(['pppppccccc', 'cccc</s>']);
    const [first, second] = readTokenFile(split.train.file).map(({ weights }) => [...weights]);
    expect(first).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    // nothing predicts the first token of a piece
    expect(second).toEqual([0, 1, 1, 1, 1]);
  });

  it('exactly at the limit are accepted', async () => {
    const { train } = await prepare({ dataset: [{ text: 'x'.repeat(9) }], sequenceLength: 10 });
    expect(train.longest).toBe(10);
  });
});

describe('errors', () => {
  it('name the invalid row and leave no file', async () => {
    const directory = temporaryDirectory();
    const path = join(temporaryDirectory(), 'a.jsonl');
    writeFileSync(path, '{"text":"x"}\n\n{"text":3}\n');
    await expect(prepare({ dataset: path, directory })).rejects.toMatchObject({
      code: 'DATASET_INVALID_ROW',
      message: expect.stringContaining(`${path}:3: text: expected a string but received 3`),
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('report an empty iterable', async () => {
    await expect(prepare({ dataset: [] })).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
  });

  it('report a folder that is not writable', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    const directory = join(file, 'below');
    await expect(prepare({ dataset: rows(1), directory })).rejects.toMatchObject({
      code: 'TEMPORARY_FOLDER_NOT_WRITABLE',
    });
  });

  it('pass on the error of an iterable', async () => {
    const dataset = (function* () {
      yield { text: 'x' };
      throw new RangeError('mine');
    })();
    await expect(prepare({ dataset })).rejects.toThrowError(new RangeError('mine'));
  });

  it('include an abort, which leaves no file', async () => {
    const directory = temporaryDirectory();
    const controller = new AbortController();
    const endless = (function* () {
      for (let i = 0; ; i++) yield { text: `row ${i}` };
    })();
    setTimeout(() => controller.abort(), 30);
    const { signal } = controller;
    await expect(prepare({ dataset: endless, directory, signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(readdirSync(directory)).toEqual([]);
    await expect(prepare({ dataset: rows(2), signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const ofRun = abortedError('enough');
    await expect(prepare({ dataset: rows(2), signal: AbortSignal.abort(ofRun) })).rejects.toBe(
      ofRun,
    );
  });

  it('yields to the event loop while it prepares rows', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const many = (function* () {
      for (let i = 0; i < 20_000; i++) yield { text: `row ${i} ${'word '.repeat(8)}` };
    })();
    const { train } = await prepare({ dataset: many });
    clearInterval(timer);
    expect(existsSync(train.file)).toBe(true);
    // Without pauses the timer would not fire at all.
    expect(ticks).toBeGreaterThan(5);
  });
});

describe('rows that cannot be trained on', () => {
  const bad = { prompt: 'no completion' };
  const dataset = [{ text: 'a' }, bad, { text: 'b' }, bad, { text: 'c' }] as never[];

  it('are skipped on request, and counted with the first reason', async () => {
    const { counts, train } = await prepare({ dataset, badRows: 'skip' });
    expect(train.samples).toBe(3);
    expect(counts.badRows).toEqual({
      count: 2,
      first: 'row 2: completion: expected a string but received nothing',
    });
  });

  it('fail beyond a limit', async () => {
    await expect(prepare({ dataset, badRows: 'skip', maxBadRows: 1 })).rejects.toMatchObject({
      code: 'DATASET_TOO_MANY_BAD_ROWS',
      message: expect.stringMatching(/^more than 1 rows .* row 2: .* row 4: /),
    });
  });

  it('do not hide a file that is not a dataset', async () => {
    const path = join(temporaryDirectory(), 'a.jsonl');
    writeFileSync(path, '{"text":"x"}\nnot JSON\n');
    await expect(prepare({ dataset: path, badRows: 'skip' })).rejects.toMatchObject({
      code: 'DATASET_INVALID_JSON',
    });
  });
});
