import { chmodSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetuneSchema } from '../../src/config/finetune.js';
import { checkMemory, type MemoryChoice } from '../../src/finetune/memory.js';
import { trainOptions } from '../../src/finetune/train-options.js';
import { type FinetuneOptions, finetuneLora, LlamatuneError, loadModel } from '../../src/index.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
const file = (name: string, content = '') => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = [{ prompt: 'a', completion: 'b' }];
const good = (): FinetuneOptions => ({
  model,
  dataset: rows,
  output: join(folder, 'adapter.gguf'),
  sequenceLength: 64,
  batchSize: 1,
  threads: 1,
});

async function failure(options: Partial<FinetuneOptions>): Promise<LlamatuneError> {
  const error = await finetuneLora({ ...good(), ...options }).result.catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LlamatuneError);
  return error as LlamatuneError;
}

/** A choice without the total, which contains what the process uses at the moment. */
const withoutTotal = ({ totalBytes: _, ...choice }: MemoryChoice) => choice;

describe('bad input to finetuneLora', () => {
  const cases: Record<
    string,
    [code: string, text: RegExp, options: () => Partial<FinetuneOptions>]
  > = {
    'a missing model': ['MODEL_NOT_FOUND', /no-such\.gguf/, () => ({ model: 'no-such.gguf' })],
    'a folder as model': ['MODEL_UNREADABLE', /a folder/, () => ({ model: folder })],
    'a file that is not a GGUF': [
      'NOT_A_GGUF',
      /text\.gguf/,
      () => ({ model: file('text.gguf', 'hello, this is text') }),
    ],
    'a truncated GGUF': [
      'MODEL_TRUNCATED',
      /short\.gguf/,
      () => {
        const short = join(folder, 'short.gguf');
        writeFileSync(short, readFileSync(model));
        truncateSync(short, readFileSync(model).length - 5000);
        return { model: short };
      },
    ],
    'a missing dataset': [
      'DATASET_NOT_FOUND',
      /none\.jsonl/,
      () => ({ dataset: join(folder, 'none.jsonl') }),
    ],
    'a folder as dataset': ['DATASET_UNREADABLE', /a folder/, () => ({ dataset: folder })],
    'an empty dataset': [
      'DATASET_EMPTY',
      /empty\.jsonl/,
      () => ({ dataset: file('empty.jsonl', '\n\n') }),
    ],
    'no rows': ['DATASET_EMPTY', /rows/, () => ({ dataset: [] })],
    'a malformed line, with file and line': [
      'DATASET_INVALID_JSON',
      /malformed\.jsonl:2/,
      () => ({ dataset: file('malformed.jsonl', '{"prompt":"a","completion":"b"}\n{"prompt":\n') }),
    ],
    'a row of no known shape': [
      'DATASET_INVALID_ROW',
      /shape\.jsonl:1.*question/,
      () => ({ dataset: file('shape.jsonl', '{"question":"a"}\n') }),
    ],
    'a chat without an assistant turn': [
      'DATASET_NO_TARGET',
      /row 1/,
      () => ({ dataset: [{ messages: [{ role: 'user', content: 'Hi' }] }] }),
    ],
    'a sample longer than sequenceLength': [
      'SAMPLE_TOO_LONG',
      /row 2.*64/,
      () => ({ dataset: [...rows, { prompt: 'a', completion: 'b'.repeat(100) }] }),
    ],
    "a sequenceLength beyond the model's context": [
      'SEQUENCE_TOO_LONG',
      /256.*512/,
      () => ({ sequenceLength: 512 }),
    ],
    'targets that match no weight': [
      'TARGET_UNKNOWN',
      /no_such_weight/,
      () => ({ lora: { targets: ['no_such_weight'] } }),
    ],
    'a missing adapter': [
      'ADAPTER_NOT_FOUND',
      /none\.gguf/,
      () => ({ lora: { initAdapter: join(folder, 'none.gguf') } }),
    ],
    'a folder as output': ['OUTPUT_NOT_WRITABLE', /folder/, () => ({ output: folder })],
    'an output below a file': [
      'OUTPUT_NOT_WRITABLE',
      /plain/,
      () => ({ output: join(file('plain'), 'adapter.gguf') }),
    ],
    'a warm-up as long as the run': [
      'CONFIG_INVALID',
      /scheduler\.warmupSteps.*1 steps/,
      () => ({ scheduler: { warmupSteps: 5 } }),
    ],
  };
  for (const [name, [code, text, options]] of Object.entries(cases)) {
    it(`${name}: ${code}`, async () => {
      const error = await failure(options());
      expect(error.code).toBe(code);
      expect(error.message).toMatch(text);
      expect(error.hint).not.toBe('');
    });
  }

  it('a folder that cannot be written to: OUTPUT_NOT_WRITABLE', async () => {
    // Permissions do not restrict root, but /proc is not writable for root either.
    const locked = process.getuid?.() === 0 ? '/proc' : join(folder, 'locked');
    if (locked !== '/proc') {
      mkdirSync(locked);
      chmodSync(locked, 0o500);
    }
    const error = await failure({ output: join(locked, 'below', 'adapter.gguf') });
    expect(error.code).toBe('OUTPUT_NOT_WRITABLE');
    expect(error.message).toContain(locked);
  });

  it('reports all problems of the options at once, each with its path', async () => {
    const error = await failure({
      batchSize: 3,
      microBatchSize: 2,
      epochs: '3',
      lora: { rank: 0 },
      optimizer: { learningRate: -1 },
      learningRate: 1e-4,
    } as never);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.problems.map(({ path }) => path).sort()).toEqual(
      ['epochs', 'learningRate', 'lora.rank', 'microBatchSize', 'optimizer.learningRate'].sort(),
    );
    for (const { message } of error.problems)
      expect(message).toMatch(/expected .+ but received .+/);
  });

  it('reports all files that cannot be used at once', async () => {
    const error = await failure({ model: 'none.gguf', dataset: 'none.jsonl', output: folder });
    expect(error.problems.map(({ path }) => path)).toEqual(['model', 'dataset', 'output']);
    expect(error.code).toBe('MODEL_NOT_FOUND');
  });

  it('reports missing options', async () => {
    await expect(finetuneLora(undefined as never).result).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('refuses an adapter of another base model', async () => {
    const other = await tinyModel('tiny-wide', { embeddingLength: 96 });
    const adapter = join(folder, 'other.gguf');
    await finetuneLora({ ...good(), model: other, output: adapter }).result;
    const error = await failure({ lora: { initAdapter: adapter } });
    expect(error.code).toBe('ADAPTER_MISMATCH');
    expect(error.hint).not.toBe('');
  });

  it('names every option that differs from the adapter it continues, before a step', async () => {
    const adapter = join(folder, 'continued.gguf');
    const lora = { rank: 4, alpha: 12, rsLora: true, targets: ['attn_q', 'ffn_down'] };
    await finetuneLora({ ...good(), output: adapter, lora }).result;
    const error = await failure({
      lora: { initAdapter: adapter, rank: 8, alpha: 16, rsLora: false, targets: ['attn_q'] },
    });
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.problems.map(({ path }) => path)).toEqual([
      'lora.rank',
      'lora.rsLora',
      'lora.alpha',
      'lora.targets',
    ]);
    for (const { message } of error.problems) expect(error.message).toContain(message);
    // Equal values and missing values are accepted; the LoRA+ ratio may differ.
    for (const given of [lora, {}]) {
      const again = { ...good(), lora: { ...given, initAdapter: adapter, loraPlusRatio: 4 } };
      const result = await finetuneLora(again).result;
      expect(result.adapter).toMatchObject({ rank: 4, alpha: 12, rsLora: true });
    }
  });

  it('suggests options that fit into memory', async () => {
    await using loaded = await loadModel(model);
    const config = finetuneSchema.parse({
      ...good(),
      batchSize: 8,
      microBatchSize: 8,
      sequenceLength: 256,
    });
    const options = trainOptions(config, loaded, undefined);
    const plan = { longestSample: 256, largestStep: 8 * 256, largestMicroBatch: 8 * 256 };
    const ample = await checkMemory(loaded, config, options, plan, 1e12);
    expect(ample.gradientCheckpointing).toBe(false);
    const tight = await checkMemory(loaded, config, options, plan, ample.neededBytes);
    expect(tight.gradientCheckpointing).toBe(true);
    expect(tight.neededBytes).toBeLessThan(ample.neededBytes);
    expect(
      await checkMemory(loaded, { ...config, gradientCheckpointing: true }, options, plan, 1e12),
    ).toMatchObject(withoutTotal(tight));
    const fixed = { ...config, gradientCheckpointing: false } as const;
    expect(await checkMemory(loaded, fixed, options, plan, ample.neededBytes)).toMatchObject(
      withoutTotal(ample),
    );
    const refused = await checkMemory(loaded, fixed, options, plan, tight.neededBytes).catch(
      (e) => e,
    );
    expect(refused.hint).toMatch(/gradientCheckpointing 'auto' or true would fit/);
    const error = await checkMemory(loaded, config, options, plan, tight.neededBytes * 0.7).catch(
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code: 'INSUFFICIENT_MEMORY' });
    expect(error.message).toMatch(/weights .+ trained tensors .+ activations/);
    expect(error.hint).toMatch(/microBatchSize [1-4] with sequenceLength 256 would fit/);
    const hopeless = await checkMemory(loaded, config, options, plan, 1000).catch(
      (thrown) => thrown,
    );
    expect(hopeless.hint).toMatch(/smaller model/);
  });

  it('chooses smaller micro-batches before gradient checkpointing', async () => {
    await using loaded = await loadModel(model);
    const config = finetuneSchema.parse({ ...good(), batchSize: 8, sequenceLength: 128 });
    const options = trainOptions(config, loaded, undefined);
    const plan = { longestSample: 100, largestStep: 800, largestMicroBatch: 800 };
    const available = async (bytes: number) => checkMemory(loaded, config, options, plan, bytes);
    const ample = await available(1e12);
    expect(ample).toMatchObject({ microBatchTokens: 800, gradientCheckpointing: false });
    const less = await available(ample.neededBytes);
    expect(less).toMatchObject({ microBatchTokens: 400, gradientCheckpointing: false });
    expect(less.neededBytes).toBeLessThan(ample.neededBytes);
    const given = { ...config, microBatchTokens: 500 };
    expect(await checkMemory(loaded, given, options, plan, 1e12)).toMatchObject({
      microBatchTokens: 500,
      gradientCheckpointing: false,
    });
  });

  it('does not affect the next run', async () => {
    await failure({ lora: { targets: ['no_such_weight'] } });
    await expect(finetuneLora(good()).result).resolves.toMatchObject({ steps: 1 });
  });
});
