import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import {
  type GeneratedSequence,
  type GenerateManyEvent,
  type GenerateManyOptions,
  type GenerateManyRun,
  type GenerateRun,
  generate,
  LlamatuneError,
  type LoadedModel,
  loadModel,
  type Prompt,
  sequenceSeed,
} from '../../src/index.js';
import { jsonLines, llamatune } from './command-line.js';
import { tinyModel } from './tiny-model.js';

let model: LoadedModel;
let folder: string;
beforeAll(async () => {
  model = await loadModel(await tinyModel());
  folder = mkdtempSync(join(tmpdir(), 'generate-many-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const common = { threads: 1, ignoreEos: true, temperature: 1, maxTokens: 20 };
const many = (options: Omit<GenerateManyOptions, 'model'> & ({ n: number } | { prompts: never })) =>
  generate({ model, ...common, ...options });
const manyPrompts = (
  prompts: GenerateManyOptions['prompts'] & {},
  options: Partial<GenerateManyOptions> = {},
) => generate({ model, ...common, ...options, prompts } as GenerateManyOptions);

const texts = (sequences: readonly GeneratedSequence[]) => sequences.map(({ text }) => text);

describe('generate with prompts or n', () => {
  it('gives each sequence the text that it has alone with its seed', async () => {
    const prompts = ['Once upon a time', 'The cat', 'Once upon a dream'];
    const run = manyPrompts(prompts, { n: 3, parallel: 4, seed: 7 });
    const { sequences, failed } = await run.result;
    expect(failed).toBe(0);
    expect(sequences.map(({ promptIndex, sampleIndex }) => [promptIndex, sampleIndex])).toEqual(
      [0, 1, 2].flatMap((prompt) => [0, 1, 2].map((sample) => [prompt, sample])),
    );
    expect(new Set(texts(sequences)).size).toBe(9);
    for (const { promptIndex, sampleIndex, seed, text, tokens } of sequences) {
      expect(seed).toBe(sequenceSeed(7, promptIndex, sampleIndex));
      const alone = await generate({ model, ...common, prompt: prompts[promptIndex]!, seed })
        .result;
      expect(alone.text).toBe(text);
      expect(alone.tokens).toEqual(tokens);
    }
    expect(sequences[0]!.seed).toBe(7);
  });

  it('does not depend on parallel, on n or on the other prompts', async () => {
    const prompts = ['aaa', 'bbb', 'ccc', 'ddd'];
    const all = texts((await manyPrompts(prompts, { n: 2, parallel: 8 }).result).sequences);
    const oneByOne = await manyPrompts(prompts, { n: 2, parallel: 1 }).result;
    expect(oneByOne.parallel).toBe(1);
    expect(texts(oneByOne.sequences)).toEqual(all);
    const fewer = await manyPrompts(['aaa', 'bbb']).result;
    expect(texts(fewer.sequences)).toEqual([all[0], all[2]]);
  });

  it('streams the tokens and the answers of every sequence', async () => {
    const run = generate({ model, ...common, prompt: 'Once', n: 3 });
    const events: GenerateManyEvent[] = [];
    for await (const event of run) events.push(event);
    const { sequences, ...totals } = await run.result;
    for (const { promptIndex, sampleIndex, text, tokens } of sequences) {
      const own = events.filter(
        (event) => event.promptIndex === promptIndex && event.sampleIndex === sampleIndex,
      );
      const streamed = own.filter((event) => event.type === 'token');
      expect(streamed.map((event) => event.text).join('')).toBe(text);
      expect(streamed.map((event) => event.token)).toEqual([...tokens]);
      expect(own.at(-1)).toMatchObject({ type: 'sequence', text, finishReason: 'length' });
    }
    expect(totals).toMatchObject({
      failed: 0,
      parallel: 3,
      promptTokens: 12,
      sharedPromptTokens: 8,
      generatedTokens: 60,
    });
    expect(totals.tokensPerSecond).toBeGreaterThan(0);
    expect(totals.totalMs).toBeGreaterThan(0);
  });

  it('takes texts, messages and rows with other columns', async () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const { sequences } = await manyPrompts([
      'Once',
      messages,
      { prompt: 'Once' },
      { messages, tools: null },
      { prompt: 'Once', completion: 'x', id: 1 } as Prompt,
    ]).result;
    const lengths = sequences.map(({ promptTokens }) => promptTokens);
    expect(lengths).toEqual([4, lengths[1], 4, lengths[1], 4]);
    const alone = await generate({ model, ...common, messages }).result;
    expect(lengths[1]).toBe(alone.promptTokens);
  });

  it('pulls an iterable only as room appears, and ends it when it fails', async () => {
    let pulled = 0;
    let ended = 0;
    async function* prompts() {
      try {
        for (; ; pulled++) yield `prompt ${pulled}`;
      } finally {
        ended = pulled;
      }
    }
    const run = manyPrompts(prompts(), { parallel: 2, maxTokens: 3 });
    for await (const event of run) {
      if (event.type === 'sequence' && event.promptIndex === 9) break;
    }
    expect(pulled).toBeLessThan(9 + 2 * 2 + 2 + 8); // what is finished, running or waiting
    run.abort();
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED' });
    expect(ended).toBeGreaterThan(0);

    const failing = async function* () {
      yield 'one';
      throw new TypeError('no more');
    };
    await expect(manyPrompts(failing()).result).rejects.toThrow(new TypeError('no more'));
  });

  it('waits for a slow reader instead of losing its events', async () => {
    const run = manyPrompts(
      (function* () {
        for (let i = 0; i < 600; i++) yield 'x';
      })(),
      { maxTokens: 16 },
    );
    const read = new Set<number>();
    let first = true;
    for await (const event of run) {
      if (first) await new Promise((resolve) => setTimeout(resolve, 1500));
      first = false;
      if (event.type === 'sequence') read.add(event.promptIndex);
    }
    expect(read.size).toBe(600);
    expect(run.droppedEvents).toBe(0);
  });

  it('reports a prompt that fails and answers the others', async () => {
    const prompts = ['one', 'x'.repeat(300), 17 as never, { text: 'x' } as never, 'two'];
    const { sequences, failed } = await manyPrompts(prompts, { n: 2 }).result;
    expect(failed).toBe(6);
    const codes = [undefined, 'PROMPT_TOO_LONG', 'PROMPT_INVALID', 'PROMPT_INVALID', undefined];
    expect(sequences.map(({ error }) => error?.code)).toEqual(
      codes.flatMap((code) => [code, code]),
    );
    for (const { error, finishReason, generatedTokens } of sequences) {
      expect(finishReason).toBe(error ? 'error' : 'length');
      expect(generatedTokens).toBe(error ? 0 : 20);
      if (error) expect(error).toBeInstanceOf(LlamatuneError);
      if (error) expect(error.hint).not.toBe('');
    }
  });

  it('cancels sequences before and while they run', async () => {
    const run = manyPrompts(['a', 'b', 'c', 'd'], { n: 2, parallel: 2, maxTokens: 100 });
    run.cancel(3);
    for await (const event of run) {
      if (event.promptIndex === 0 && event.type === 'token') run.cancel(0, 1);
    }
    const { sequences } = await run.result;
    expect(sequences.map(({ finishReason }) => finishReason)).toEqual([
      'length',
      'cancelled',
      'length',
      'length',
      'length',
      'length',
      'cancelled',
      'cancelled',
    ]);
    expect(sequences[6]!.text).toBe('');
  });

  it('follows the grammar and the stop sequences in every sequence', async () => {
    const grammar = 'root ::= [a-z]{3} "STOP" [0-9]{4}';
    const { sequences } = await many({ prompt: 'x', n: 6, grammar, stop: ['STOP'] }).result;
    for (const { text, finishReason } of sequences) {
      expect(text).toMatch(/^[a-z]{3}$/);
      expect(finishReason).toBe('stop');
    }
    expect(new Set(texts(sequences)).size).toBeGreaterThan(1);
    await expect(many({ prompt: 'x', n: 2, grammar: 'root ::= (' }).result).rejects.toMatchObject({
      code: 'GRAMMAR_INVALID',
    });
  });

  it('reads a file of prompts', async () => {
    const lines = join(folder, 'prompts.txt');
    writeFileSync(lines, 'Once upon\r\n\nThe cat\n');
    const jsonl = join(folder, 'prompts.jsonl');
    writeFileSync(
      jsonl,
      '{"prompt":"Once upon","answer":"x"}\n"The cat"\n{"messages":[{"role":"user","content":"Hi"}]}\n',
    );
    const fromLines = await manyPrompts(lines).result;
    const fromJson = await manyPrompts(jsonl).result;
    expect(fromJson.sequences).toHaveLength(3);
    expect(texts(fromLines.sequences)).toEqual(texts(fromJson.sequences.slice(0, 2)));
    for (const name of ['missing.txt', 'missing.jsonl']) {
      await expect(manyPrompts(join(folder, name)).result).rejects.toMatchObject({
        name: 'LlamatuneError',
        message: expect.stringContaining(name),
      });
    }
  });

  it('returns a run by the options that are given', () => {
    const options = { model: 'x.gguf', prompt: 'x' };
    expectTypeOf(() => generate(options)).returns.toEqualTypeOf<GenerateRun>();
    expectTypeOf(() => generate({ ...options, n: 2 })).returns.toEqualTypeOf<GenerateManyRun>();
    expectTypeOf(() =>
      generate({ model: 'x.gguf', prompts: ['x'] }),
    ).returns.toEqualTypeOf<GenerateManyRun>();
  });

  it('reports every problem of its options at once', async () => {
    const wrong = { model, prompt: 'x', prompts: ['y'], n: 0, parallel: 1000 };
    await expect(generate(wrong as never).result).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      problems: expect.arrayContaining(
        ['prompt', 'n', 'parallel'].map((path) => expect.objectContaining({ path })),
      ),
    });
  });
});

describe('llamatune generate with --prompts or --n', () => {
  const command = async (...args: string[]) =>
    llamatune([
      ...['generate', '--model', await tinyModel(), '--threads', '1', '--ignoreEos'],
      ...['--maxTokens', '8', '--temperature', '1', ...args],
    ]);

  it('writes the answers in order, and the ones that fail to standard error', async () => {
    const file = join(folder, 'some.txt');
    writeFileSync(file, `Once upon\n${'x'.repeat(300)}\nThe cat\n`);
    const { exit, stdout, stderr } = await command(
      '--prompts',
      file,
      '--n',
      '2',
      '--parallel',
      '3',
    );
    const expected = await manyPrompts(file, { n: 2, maxTokens: 8 }).result;
    const answers = expected.sequences.filter(({ error }) => error === null);
    expect(stdout).toBe(
      answers
        .map(
          ({ promptIndex, sampleIndex, text }) =>
            `--- prompt ${promptIndex}, sample ${sampleIndex} ---\n${text}${text.endsWith('\n') ? '' : '\n'}`,
        )
        .join(''),
    );
    expect(stderr).toMatch(/^prompt 1, sample 0: the prompt has 300 tokens/m);
    expect(stderr).toMatch(/6 answers, 32 tokens, .* at once/);
    expect(stderr).toMatch(/2 of 6 answers failed/);
    expect(exit).toBe(1);
  });

  it('writes events and totals as JSON Lines', async () => {
    const { exit, stdout } = await command('--prompt', 'Once', '--n', '3', '--json');
    const lines = jsonLines(stdout);
    expect(lines.filter(({ type }) => type === 'token')).toHaveLength(24);
    const answers = lines.filter(({ type }) => type === 'sequence');
    expect(answers.map(({ sampleIndex }) => sampleIndex)).toEqual([0, 1, 2]);
    expect(answers[0]).toMatchObject({ promptIndex: 0, generatedTokens: 8, error: null });
    expect(lines.at(-1)).toMatchObject({
      type: 'done',
      result: { generatedTokens: 24, failed: 0, parallel: 3 },
    });
    expect(exit).toBe(0);
  });

  it('refuses two sources of prompts', async () => {
    const { exit, stderr } = await command('--prompts', 'a.txt', '--user', 'x');
    expect(exit).toBe(2);
    expect(stderr).toContain('--prompts and --user');
  });
});
