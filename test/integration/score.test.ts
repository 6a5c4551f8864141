import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetune, type LoadedModel, loadModel, type ScoreEvent, score } from '../../src/index.js';
import { logProbabilities } from './log-probabilities.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
const adapter = join(folder, 'adapter.gguf');
let model: LoadedModel;
beforeAll(async () => {
  model = await loadModel(await tinyModel('tiny-large-init', { initStd: 0.2 }));
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const train = Array.from({ length: 4 }, (_, i) => ({ prompt: `${i}+1=`, completion: `${i + 1}` }));
const rows = ['red', 'light blue', 'green'].map((content, i) => ({
  messages: [
    { role: 'user', content: `Which colour has number ${i}?` },
    { role: 'assistant', content, weight: 1 + i / 2 },
  ],
}));

describe('score()', () => {
  it('gives the validation loss of finetune() for the same rows, with the adapter that it trained', async () => {
    const { finalValidationLoss } = await finetune({
      ...{ model, dataset: train, validation: { dataset: rows }, output: adapter, threads: 1 },
      ...{ epochs: 2, batchSize: 2, precision: 'f32', sequenceLength: 128, modelCard: false },
      optimizer: { learningRate: 1e-2 },
    }).result;
    const options = { model, dataset: rows, threads: 1 };
    const tuned = await score({ ...options, adapters: adapter }).result;
    const base = await score(options).result;
    expect(tuned.loss).toBeCloseTo(finalValidationLoss!, 5);
    expect(tuned.perplexity).toBeCloseTo(Math.exp(tuned.loss), 10);
    expect(Math.abs(base.loss - tuned.loss)).toBeGreaterThan(0.01);
    expect(tuned.sequences.map(({ index }) => index)).toEqual([0, 1, 2]);
    const weighted = tuned.sequences.reduce((sum, each) => sum + each.loss! * each.weight, 0);
    const weight = tuned.sequences.reduce((sum, each) => sum + each.weight, 0);
    expect(weighted / weight).toBeCloseTo(tuned.loss, 10);
  });

  it('gives the log-probability of each token, and whether it is the most likely one', async () => {
    const tokens = [5, 7, 9];
    const expected = await logProbabilities(model.path, undefined, tokens, folder, 259);
    const sequences = expected.map((_, token) => ({
      tokens: [...tokens, token],
      weights: [0, 0, 0, 2],
    }));
    const result = await score({ model, sequences, threads: 1, perToken: true }).result;
    const best = expected.indexOf(Math.max(...expected));
    for (const [token, sequence] of result.sequences.entries()) {
      expect(sequence.logProbability).toBeCloseTo(expected[token]!, 4);
      expect(sequence.correct).toBe(token === best ? 1 : 0);
      expect([...sequence.targetTokens!]).toEqual([token]);
      expect(sequence.targetLogProbabilities![0]).toBeCloseTo(sequence.logProbability, 5);
    }
    expect(result.accuracy).toBeCloseTo(1 / 259, 10);
    const total = result.sequences.reduce((sum, each) => sum + Math.exp(each.logProbability), 0);
    expect(total).toBeCloseTo(1, 4);
  });

  it('computes the common prompt of several answers once', async () => {
    const prompt = Array.from({ length: 60 }, (_, i) => (i * 11) % 256);
    const sequences = [1, 2, 3, 4].map((answer) => ({
      tokens: [...prompt, answer, answer + 10],
      weights: [...prompt.map(() => 0), 1, 1],
    }));
    const events: ScoreEvent[] = [];
    const run = score({ model, sequences });
    for await (const event of run) events.push(event);
    const { tokens, computedTokens } = await run.result;
    expect({ tokens, computedTokens }).toEqual({ tokens: 4 * 62, computedTokens: 60 + 4 });
    expect(events.filter(({ type }) => type === 'sequence')).toHaveLength(4);
    expect(events.at(-1)).toMatchObject({ type: 'progress', sequences: 4, etaMs: 0 });
  });

  it('names what is wrong', async () => {
    const sequences = [{ tokens: [1, 2, 3] }];
    const failure = (options: object) =>
      score({ model, ...options } as never).result.catch((error) => error);
    expect(await failure({})).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await failure({ sequences, dataset: sequences })).toMatchObject({
      problems: [{ path: 'sequences', message: 'expected sequences or dataset but received both' }],
    });
    expect(await failure({ sequences, loss: 'all' })).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await failure({ sequences: [{ tokens: [1, 999] }] })).toMatchObject({
      code: 'DATASET_INVALID_ROW',
    });
    expect(await failure({ sequences, sequenceLength: 2 })).toMatchObject({
      code: 'SAMPLE_TOO_LONG',
    });
    expect(await failure({ sequences, signal: AbortSignal.abort() })).toMatchObject({
      code: 'ABORTED',
    });
  });
});
