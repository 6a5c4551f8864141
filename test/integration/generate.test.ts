import { beforeAll, describe, expect, it } from 'vitest';
import {
  type GenerateEvent,
  type GenerateOptions,
  generate,
  type LoadedModel,
  loadModel,
} from '../../src/index.js';
import { tinyModel } from './tiny-model.js';

let path: string;
let model: LoadedModel;
beforeAll(async () => {
  path = await tinyModel();
  model = await loadModel(path);
});

/** One thread, because compute threads that wait for each other are slow while other processes use the cores. */
const short = { threads: 1, ignoreEos: true };

const complete = (options: Partial<GenerateOptions>) =>
  generate({ model, ...short, prompt: 'Once upon', maxTokens: 32, ...options }).result;

describe('generate', () => {
  it('streams the text of its result', async () => {
    const run = generate({ model: path, ...short, prompt: 'Once', maxTokens: 40 });
    const events: GenerateEvent[] = [];
    for await (const event of run) events.push(event);
    const result = await run.result;
    expect(events.map(({ text }) => text).join('')).toBe(result.text);
    expect(events.map(({ token }) => token)).toEqual([...result.tokens]);
    expect(result).toMatchObject({ promptTokens: 4, generatedTokens: 40, finishReason: 'length' });
    expect(result.timeToFirstTokenMs).toBeGreaterThan(0);
    expect(result.tokensPerSecond).toBeGreaterThan(0);
    expect(result.promptTokensPerSecond).toBeGreaterThan(0);
  });

  it('streams tokens while it generates', async () => {
    const run = generate({ model, ...short, prompt: 'Once', maxTokens: 200 });
    let settled = false;
    run.result.finally(() => {
      settled = true;
    });
    const { value } = await run[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({ type: 'token' });
    expect(settled).toBe(false);
    await run.result;
  });

  it('gives the same text for the same seed only', async () => {
    const [first, again, other] = [
      await complete({ seed: 1, temperature: 1 }),
      await complete({ seed: 1, temperature: 1 }),
      await complete({ seed: 2, temperature: 1 }),
    ];
    expect(again.tokens).toEqual(first.tokens);
    expect(other.tokens).not.toEqual(first.tokens);
    const greedy = [
      await complete({ temperature: 0, seed: 1 }),
      await complete({ temperature: 0, seed: 2 }),
    ];
    expect(greedy[0]!.tokens).toEqual(greedy[1]!.tokens);
  });

  it('ends before a stop sequence', async () => {
    const { text } = await complete({ temperature: 0, grammar: 'root ::= "abc" "STOP" "def"' });
    expect(text).toBe('abcSTOPdef');
    const stopped = await complete({
      temperature: 0,
      grammar: 'root ::= "abc" "STOP" "def"',
      stop: ['STOP'],
    });
    expect(stopped).toMatchObject({ text: 'abc', finishReason: 'stop' });
  });

  it('applies the chat template to messages', async () => {
    const { promptTokens } = await generate({
      model,
      messages: [{ role: 'user', content: 'Hi' }],
      maxTokens: 1,
    }).result;
    // <|im_start|> user\nHi <|im_end|> \n <|im_start|> assistant\n, control tokens as one each
    expect(promptTokens).toBe(1 + 'user\nHi'.length + 1 + 1 + 1 + 'assistant\n'.length);
  });

  it('never generates past the context', async () => {
    const result = await complete({ contextLength: 40, maxTokens: 39 });
    expect(result.promptTokens + result.generatedTokens).toBeLessThanOrEqual(40);
    expect(result.finishReason).toBe('length');
  });

  it('runs several generations on one model at the same time', async () => {
    const runs = [1, 2, 3, 4].map((seed) => complete({ seed, temperature: 1 }));
    const alone = await complete({ seed: 3, temperature: 1 });
    expect((await Promise.all(runs))[2]!.tokens).toEqual(alone.tokens);
  });

  it('ends within one token after an abort, and keeps the reason', async () => {
    const run = generate({ model, ...short, prompt: 'Once', maxTokens: 250 });
    const reason = new Error('enough');
    let seen = 0;
    const follow = async () => {
      for await (const _ of run) if (++seen === 3) run.abort(reason);
    };
    await expect(follow()).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED' });
    expect(seen).toBeLessThan(250);
  });

  it('is aborted by the signal of its options', async () => {
    const controller = new AbortController();
    const run = generate({
      model,
      ...short,
      prompt: 'x',
      maxTokens: 250,
      signal: controller.signal,
    });
    await run[Symbol.asyncIterator]().next();
    controller.abort('reason');
    await expect(run.result).rejects.toMatchObject({ code: 'ABORTED', cause: 'reason' });
    const never = generate({ model, prompt: 'x', signal: AbortSignal.abort() });
    await expect(never.result).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('is aborted at the end of its scope', async () => {
    let result: Promise<unknown>;
    {
      await using run = generate({ model, ...short, prompt: 'Once', maxTokens: 250 });
      result = run.result;
      await run[Symbol.asyncIterator]().next();
    }
    await expect(result).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('continues when its model is disposed', async () => {
    const disposed = await loadModel(path);
    const run = generate({ model: disposed, ...short, prompt: 'Once', maxTokens: 100 });
    await run[Symbol.asyncIterator]().next();
    await disposed.dispose();
    expect((await run.result).generatedTokens).toBe(100);
    await expect(generate({ model: disposed, prompt: 'x' }).result).rejects.toMatchObject({
      code: 'DISPOSED',
    });
  });

  it('reports every problem of its options at once', async () => {
    const wrong = { model, prompt: 'x', messages: [], temperature: -1, topK: 1.5, tpoP: 1 };
    await expect(generate(wrong as never).result).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      problems: expect.arrayContaining(
        ['messages', 'temperature', 'topK', 'tpoP'].map((at) =>
          expect.objectContaining({ path: at }),
        ),
      ),
    });
  });

  it.each([
    [{ prompt: 'x'.repeat(300) }, 'PROMPT_TOO_LONG'],
    [{ prompt: undefined }, 'CONFIG_INVALID'],
    [{ parallel: 4 }, 'CONFIG_INVALID'],
    [{ prompt: 'x', contextLength: 1, maxTokens: 1 }, 'CONFIG_INVALID'],
    [{ grammar: 'root ::= (' }, 'GRAMMAR_INVALID'],
    [{ adapters: 'no-such-adapter.gguf' }, 'ADAPTER_NOT_FOUND'],
    [{ model: 'no-such-model.gguf' }, 'MODEL_NOT_FOUND'],
    [{ model: { path: 'x', dispose: async () => {} } }, 'CONFIG_INVALID'],
  ] as const)('gives %j the code %s and a hint', async (options, code) => {
    await expect(complete(options)).rejects.toMatchObject({
      name: 'LlamatuneError',
      code,
      hint: expect.stringMatching(/.+/),
    });
  });

  it('rejects a model as adapter, and the next call works', async () => {
    await expect(complete({ adapters: path })).rejects.toMatchObject({ code: 'ADAPTER_INVALID' });
    await expect(complete({})).resolves.toMatchObject({ generatedTokens: 32 });
  });
});
