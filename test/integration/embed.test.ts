import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embed, type LoadedModel, loadModel } from '../../src/index.js';
import { tinyModel } from './tiny-model.js';

let model: LoadedModel;
beforeAll(async () => {
  model = await loadModel(await tinyModel('tiny-large-init', { initStd: 0.2 }));
});
afterAll(() => model.dispose());

const cosine = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

describe('embed()', () => {
  it('gives a vector of length 1 for each text, whatever the other texts are', async () => {
    const texts = Array.from({ length: 100 }, (_, i) => 'word '.repeat(1 + (i % 9)) + i);
    const run = embed({ model, texts });
    const indices: number[] = [];
    for await (const { index } of run) indices.push(index);
    const { embeddings, ...totals } = await run.result;
    expect(indices).toEqual(texts.map((_, i) => i));
    expect(totals).toMatchObject({
      dimensions: 64,
      pooling: 'mean',
      tokens: texts.join('').length,
    });
    const [alone] = (await embed({ model, texts: [texts[57]!] }).result).embeddings;
    expect(cosine(alone!, embeddings[57]!)).toBeCloseTo(1, 5);
    expect(cosine(embeddings[3]!, embeddings[57]!)).toBeLessThan(0.99999);
    for (const each of embeddings) expect(cosine(each, each)).toBeCloseTo(1, 5);
  });

  it('pools as asked, and leaves the length if asked', async () => {
    const vectors = async (text: string, pooling: 'cls' | 'last' | 'mean') =>
      (await embed({ model, texts: [text], pooling, normalize: false }).result).embeddings[0]!;
    const [a, ab] = [await vectors('a', 'last'), await vectors('ab', 'last')];
    const [first, mean] = [await vectors('ab', 'cls'), await vectors('ab', 'mean')];
    for (const i of mean.keys()) {
      expect(first[i]).toBeCloseTo(a[i]!, 4);
      expect(mean[i]).toBeCloseTo((a[i]! + ab[i]!) / 2, 4);
    }
    expect(cosine(mean, mean)).toBeGreaterThan(1.1);
  });

  it('names what is wrong', async () => {
    const failure = (texts: string[], signal?: AbortSignal) =>
      embed({ model, texts, signal }).result.catch((error) => error);
    expect(await failure(['a', ''])).toMatchObject({
      code: 'TEXT_EMPTY',
      message: 'text 1 has no tokens',
    });
    expect(await failure(['a'.repeat(300)])).toMatchObject({ code: 'TEXT_TOO_LONG' });
    expect(await failure(['a'], AbortSignal.abort())).toMatchObject({ code: 'ABORTED' });
    expect((await embed({ model, texts: [] }).result).embeddings).toEqual([]);
  });
});
