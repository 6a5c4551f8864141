import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon } from '../../src/contract/load.js';
import { createModel, loadModel, quantizeModel, systemInfo } from '../../src/index.js';
import { CHATML, temporaryFolder, tinyModel, tinyOptions } from './tiny-model.js';

const folder = temporaryFolder();
let path: string;
beforeAll(async () => {
  path = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('createModel', () => {
  it('gives the same bytes for the same seed only', async () => {
    const make = async (name: string, seed: number) => {
      await createModel({ ...tinyOptions, seed, path: join(folder, name) });
      return readFileSync(join(folder, name));
    };
    const [first, again, other] = [await make('a', 1), await make('b', 1), await make('c', 2)];
    expect(first.equals(again)).toBe(true);
    expect(first.equals(other)).toBe(false);
  });

  it('reports every problem at once', async () => {
    const wrong = { ...tinyOptions, path: '', layers: 0, heads: 1.5, unknown: 1 };
    await expect(createModel(wrong as never)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      problems: expect.arrayContaining(
        ['path', 'layers', 'heads', 'unknown'].map((at) => expect.objectContaining({ path: at })),
      ),
    });
  });

  it('fails if it cannot write the file', async () => {
    await expect(
      createModel({ ...tinyOptions, path: '/proc/no/such/folder/model.gguf' }),
    ).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
  });

  it('copies the vocabulary of another file, and makes every architecture and type', async () => {
    for (const architecture of ['llama', 'qwen3', 'gemma3'] as const) {
      for (const type of ['F32', 'F16', 'Q8_0']) {
        const made = join(folder, `${architecture}-${type}.gguf`);
        await createModel({
          ...tinyOptions,
          architecture,
          type,
          vocabulary: { from: path },
          path: made,
        });
        await using model = await loadModel(made);
        expect(model.info.architecture).toBe(architecture);
        expect(model.info.tensors.find(({ name }) => name === 'blk.0.attn_q.weight')?.type).toBe(
          type,
        );
        expect(model.detokenize(model.tokenize('same words'))).toBe('same words');
      }
    }
  });
});

describe('quantizeModel', () => {
  it('writes a smaller model that loads', async () => {
    const output = join(folder, 'quantized.gguf');
    await quantizeModel({ input: path, output, type: 'Q8_0' });
    await using model = await loadModel(output);
    await using original = await loadModel(path);
    expect(model.info.bytes).toBeLessThan(original.info.bytes / 2);
    expect(model.info.vocabularySize).toBe(original.info.vocabularySize);
  });

  it('names an unknown type and a missing file', async () => {
    const output = join(folder, 'never.gguf');
    await expect(quantizeModel({ input: path, output, type: 'Q9_9' })).rejects.toMatchObject({
      code: 'UNKNOWN_WEIGHT_TYPE',
    });
    await expect(quantizeModel({ input: 'no-such.gguf', output })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    });
    expect(existsSync(output)).toBe(false);
  });
});

describe('loadModel', () => {
  it('describes the file', async () => {
    await using model = await loadModel(path);
    expect(model.path).toBe(path);
    expect(model.info).toMatchObject({
      architecture: 'llama',
      contextLength: 256,
      embeddingLength: 64,
      layers: 2,
      vocabularySize: 259,
      chatTemplate: CHATML,
      eosToken: 258,
      addBos: false,
    });
    expect(model.info.trainableTargets).toMatchObject({ attn_q: 2, attn_k: 2, ffn_down: 2 });
    expect(model.info.tensors.length).toBeGreaterThan(15);
    expect(model.info.metadata['general.architecture']).toBe('llama');
  });

  it('tokenizes and detokenizes, with control tokens only on request', async () => {
    await using model = await loadModel(path);
    const text = 'Grüße, 世界! 🦙\n';
    const tokens = model.tokenize(text);
    expect(tokens).toBeInstanceOf(Int32Array);
    expect(model.detokenize(tokens)).toBe(text);
    expect(Array.from(model.tokenize('<|im_end|>', { parseSpecial: true }))).toEqual([258]);
    expect(model.tokenize('<|im_end|>').length).toBe(10);
    expect(model.detokenize([258], { special: true })).toBe('<|im_end|>');
  });

  it('renders the chat template', async () => {
    await using model = await loadModel(path);
    const messages = [{ role: 'user', content: 'Hi' }];
    expect(model.applyChatTemplate(messages)).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
    expect(model.applyChatTemplate(messages, { addGenerationPrompt: false })).toBe(
      '<|im_start|>user\nHi<|im_end|>\n',
    );
  });

  it('reports progress up to 1', async () => {
    const seen: number[] = [];
    await using _ = await loadModel({ model: path, onProgress: (fraction) => seen.push(fraction) });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('fails if its signal is already aborted', async () => {
    const reason = new Error('changed my mind');
    await expect(
      loadModel({ model: path, signal: AbortSignal.abort(reason) }),
    ).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
  });

  it('says what is wrong with a file', async () => {
    const text = join(folder, 'text.gguf');
    writeFileSync(text, 'this is not a model, only a line of text');
    const short = join(folder, 'short.gguf');
    writeFileSync(short, readFileSync(path));
    truncateSync(short, readFileSync(path).length - 5000);
    const cases = {
      'no-such-file.gguf': 'MODEL_NOT_FOUND',
      [text]: 'NOT_A_GGUF',
      [short]: 'MODEL_TRUNCATED',
    };
    for (const [file, code] of Object.entries(cases)) {
      const error = await loadModel(file).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        name: 'LlamatuneError',
        code,
        hint: expect.stringMatching(/.+/),
      });
      expect((error as Error).message).toContain(file);
    }
    await using model = await loadModel(path); // the next call works
    expect(model.info.layers).toBe(2);
  });

  it('can be disposed twice, and is unusable afterwards', async () => {
    const model = await loadModel(path);
    await model.dispose();
    await model.dispose();
    expect(model.disposed).toBe(true);
    expect(() => model.tokenize('x')).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  });
});

describe('the addon', () => {
  it('names wrong arguments', async () => {
    const raw = addon() as unknown as Record<string, (...of: unknown[]) => unknown>;
    const wrong = [
      [() => raw.loadModel!({ model: 5 }), 'expected string for model but received 5'],
      [() => raw.loadModel!(), 'expected object for options but received undefined'],
      [() => raw.generate!({}, {}), 'expected a model that loadModel returned'],
      [
        () => raw.generate!(Object.create({ info() {} }), {}),
        'expected a model that loadModel returned',
      ],
      [
        () => raw.quantizeModel!({ input: 'a', output: 'b', type: 'Q8_0', threads: 1.5 }),
        /expected integer from .* for threads but received 1.5/,
      ],
    ] as const;
    for (const [call, message] of wrong) {
      expect(call).toThrow(
        expect.objectContaining({
          code: 'ARGUMENT_INVALID',
          message: expect.stringMatching(message),
        }),
      );
    }
    await using model = await loadModel(path);
    const native = model.native as unknown as Record<string, (...of: unknown[]) => unknown>;
    expect(() => native.tokenize!('x', 1, true)).toThrow('expected boolean for addSpecial');
    expect(() => native.detokenize!('12', true)).toThrow('expected Int32Array or array');
    expect(() => native.tokenBytes!(100_000, true)).toThrow(
      expect.objectContaining({ code: 'TOKEN_OUT_OF_RANGE' }),
    );
    const NativeModel = native.constructor as unknown as new () => unknown;
    expect(() => new NativeModel()).toThrow('loadModel');
  });

  it('passes log lines to the logger in batches, and is silent without one', async () => {
    const lines: { level: string; line: string }[] = [];
    addon().setLogger((batch) => lines.push(...batch));
    await using _ = await loadModel(path);
    await new Promise((resolve) => setTimeout(resolve, 20));
    addon().setLogger(null);
    expect(lines.some(({ line }) => line.includes('llama'))).toBe(true);
    const before = lines.length;
    await using __ = await loadModel(path);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(lines.length).toBe(before);
  });
});

describe('systemInfo', () => {
  it('names the built-in llama.cpp and at least one device', () => {
    const info = systemInfo();
    expect(info.llamaCpp).toMatch(/\d/);
    expect(info.backends).toContain('CPU');
    expect(info.devices.some(({ type }) => type === 'cpu')).toBe(true);
    expect(info.physicalCores).toBeGreaterThan(0);
  });
});
