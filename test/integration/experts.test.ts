// A mixture of experts: creating, training and generating.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/adapter/safetensors.js';
import {
  createModel,
  exportAdapter,
  type FinetuneOptions,
  finetuneFull,
  finetuneLora,
  generate,
  quantizeModel,
  readRunLog,
  renderExpertUse,
  type StepEvent,
} from '../../src/index.js';
import { llamatune } from './command-line.js';
import { exampleFolder, examplesOf, runExample } from './docs-examples.js';
import { temporaryFolder, tinyOptions } from './tiny-model.js';

const folder = temporaryFolder();
const model = join(folder, 'experts.gguf');
const quantized = join(folder, 'experts-q8_0.gguf');
beforeAll(async () => {
  const { feedForwardLength: _, ...options } = tinyOptions;
  await createModel({
    ...options,
    path: model,
    architecture: 'qwen3moe',
    initStd: 0.2, // small random embeddings cannot give confident logits
    experts: 8,
    expertsPerToken: 2,
    expertFeedForwardLength: 64,
  });
  await quantizeModel({ input: model, output: quantized, type: 'Q8_0' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = ['red', 'blue', 'green', 'grey'].map((completion, i) => ({
  prompt: `Colour ${i}?`,
  completion: ` ${completion}`,
}));

const options = (path: string): FinetuneOptions => ({
  model: path,
  dataset: rows,
  output: join(folder, 'out.gguf'),
  epochs: 60,
  sequenceLength: 32,
  batchSize: 4,
  threads: 1,
});

async function losses(run: ReturnType<typeof finetuneLora>): Promise<number[]> {
  const found: number[] = [];
  for await (const event of run) if (event.type === 'step') found.push(event.loss ?? Number.NaN);
  await run.result;
  return found;
}

it('learns with LoRA on experts and router, and generate() applies the adapter', async () => {
  const found = await losses(
    finetuneLora({
      ...options(quantized),
      epochs: 150,
      lora: {
        rank: 16,
        alpha: 32,
        targets: [
          'attn_q',
          'attn_v',
          'attn_output',
          'ffn_gate_inp',
          'ffn_gate_exps',
          'ffn_up_exps',
          'ffn_down_exps',
        ],
      },
      optimizer: { learningRate: 1e-2, weightDecay: 0 },
    }),
  );
  expect(found.at(-1)).toBeLessThan(0.1);
  const { text } = await generate({
    model: quantized,
    adapters: [join(folder, 'out.gguf')],
    prompt: 'Colour 2?',
    maxTokens: 6,
    temperature: 0,
    threads: 1,
  }).result;
  expect(text).toBe(' green');
});

it('learns with full fine-tuning of experts and router', async () => {
  const found = await losses(
    finetuneFull({ ...options(model), epochs: 30, optimizer: { learningRate: 3e-3 } }),
  );
  expect(found.at(-1)).toBeLessThan(found[0]! / 2);
});

it('counts the experts of every token of a training and of an answer', async () => {
  const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
  const output = join(folder, 'counted.gguf');
  const run = finetuneLora({ ...options(model), output, epochs: 2, expertStatistics: true });
  const steps: StepEvent[] = [];
  for await (const event of run) if (event.type === 'step') steps.push(event);
  const trained = await run.result;
  expect(trained.experts!.map(({ layer }) => layer)).toEqual([0, 1]);
  for (const { counts } of trained.experts!) {
    expect(counts).toHaveLength(8);
    expect(sum(counts)).toBe(2 * trained.tokens);
  }
  for (const { experts, tokens } of steps) expect(sum(experts![1]!.counts)).toBe(2 * tokens);
  const total = trained.experts![0]!.counts.map((_, i) =>
    sum(steps.map((s) => s.experts![0]!.counts[i]!)),
  );
  expect(total).toEqual(trained.experts![0]!.counts);

  expect(readFileSync(trained.modelCard!, 'utf8')).toContain('](counted-experts.svg)');
  const picture = readFileSync(join(folder, 'counted-experts.svg'), 'utf8');
  expect(picture.startsWith(renderExpertUse(steps))).toBe(true);
  const { events } = readRunLog(join(folder, 'counted-log.jsonl'));
  expect(renderExpertUse(events)).toBe(renderExpertUse(steps));

  const ask = { model, prompt: 'Colour 2?', maxTokens: 6, ignoreEos: true, threads: 1 };
  const { experts, promptTokens } = await generate({ ...ask, expertStatistics: true }).result;
  expect(sum(experts![0]!.counts)).toBe(2 * (promptTokens + 5));
  expect((await generate(ask).result).experts).toBeNull();
  const { stderr } = await llamatune([
    ...['generate', '--model', model, '--prompt', 'Colour 2?', '--maxTokens', '6', '--ignoreEos'],
    ...['--threads', '1', '--expertStatistics'],
  ]);
  expect(stderr).toMatch(/experts \d+ of 16 not used, entropy \d\.\d\d to \d\.\d\d of 3\.00 bits/);
});

it('runs the example of docs/finetuning.md', async () => {
  const { folder: examples, remove } = exampleFolder('docs-experts');
  try {
    const dataset = join(folder, 'train.jsonl');
    writeFileSync(dataset, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const block = examplesOf('finetuning.md').find(([, code]) => code.includes('loadBalanceLoss'));
    const logged = await runExample(join(examples, 'example.ts'), block![1], {
      'experts.gguf': model,
      'train.jsonl': dataset,
      'adapter.gguf': join(folder, 'example.gguf'),
    });
    expect(logged.length).toBeGreaterThan(0);
    for (const values of logged as number[][]) {
      const [loss, balance, entropy, dead] = values as [number, number, number, number];
      expect(loss).toBeGreaterThan(3);
      expect(balance).toBeGreaterThan(0.9);
      expect(balance).toBeLessThan(8);
      expect(entropy).toBeGreaterThan(0);
      expect(entropy).toBeLessThanOrEqual(3);
      expect(dead).toBeLessThan(7);
    }
  } finally {
    remove();
  }
});

it('reports the load-balance loss apart from the loss, which it does not change before the first update', async () => {
  const first = async (given: Partial<FinetuneOptions>) => {
    const steps: StepEvent[] = [];
    const lora = { targets: ['ffn_gate_inp'] };
    for await (const event of finetuneLora({ ...options(model), epochs: 1, lora, ...given }))
      if (event.type === 'step') steps.push(event);
    return steps[0]!;
  };
  const [without, balanced] = [await first({}), await first({ loadBalanceLoss: 1 })];
  expect(balanced.loss).toBe(without.loss);
  expect(without.metrics).not.toHaveProperty('loadBalanceLoss');
  expect(balanced.metrics.loadBalanceLoss).toBeGreaterThan(0.9);
  expect(balanced.gradientNorm).not.toBeCloseTo(without.gradientNorm!, 5);
  const refused = finetuneLora({
    ...options(model),
    lora: { targets: ['attn_q'] },
    loadBalanceLoss: 1,
  });
  await expect(refused.result).rejects.toMatchObject({ code: 'TARGET_UNSUPPORTED' });
});

describe('the load-balance loss of a step with several micro-batches', () => {
  // the same number of tokens and of targets in each row
  const equal = ['red', 'tan', 'sky', 'fog'].map((completion, i) => ({
    prompt: `Colour ${i}?`,
    completion: ` ${completion}`,
  }));
  /** The first step of these rows, and the router's adapter after it: with SGD, minus the gradient. */
  async function stepOf(dataset: readonly object[], given: Partial<FinetuneOptions>) {
    const output = join(folder, 'balanced.gguf');
    const run = finetuneLora({
      ...options(model),
      ...{
        dataset: dataset as FinetuneOptions['dataset'],
        output,
        epochs: 1,
        batchSize: dataset.length,
        shuffle: false,
        precision: 'f32',
      },
      ...{
        modelCard: false,
        runLog: false,
        lora: { targets: ['ffn_gate_inp'] },
        loadBalanceLoss: 1,
      },
      optimizer: { type: 'sgd', learningRate: 1, momentum: 0, weightDecay: 0, maxGradientNorm: 0 },
      scheduler: { type: 'constant' },
      ...given,
    });
    const steps: StepEvent[] = [];
    for await (const event of run) if (event.type === 'step') steps.push(event);
    await run.result;
    expect(steps).toHaveLength(1);
    const balance = steps[0]!.metrics.loadBalanceLoss!;
    return { ...steps[0]!, balance, update: await matricesB(output) };
  }

  /** All numbers of the matrices B of an adapter, in the order of their names. */
  async function matricesB(adapter: string): Promise<number[]> {
    const exported = join(folder, 'balanced-peft');
    rmSync(exported, { recursive: true, force: true });
    await exportAdapter({ adapter, model, output: exported });
    const tensors = await readSafetensors(join(exported, 'adapter_model.safetensors'));
    return [...tensors]
      .sort()
      .flatMap(([name, { values }]) => (name.includes('lora_B') ? [...values] : []));
  }
  const closeTo = (found: number[], expected: number[]) => {
    const length = Math.hypot(...expected);
    expect(length).toBeGreaterThan(0.01);
    expect(Math.hypot(...found.map((value, i) => value - expected[i]!))).toBeLessThan(
      1e-4 * length,
    );
  };

  it('is that of one micro-batch if the micro-batches have the same rows', async () => {
    const twice = [...equal, ...equal];
    const whole = await stepOf(twice, { microBatchSize: 8, packing: false });
    const halves = await stepOf(twice, { microBatchSize: 4, packing: false });
    expect(halves.balance).toBeCloseTo(whole.balance, 5);
    expect(halves.loss).toBeCloseTo(whole.loss!, 5);
    closeTo(halves.update, whole.update);
  });

  it('is the mean of those of the micro-batches otherwise, with its gradient', async () => {
    const [first, second] = [equal.slice(0, 2), equal.slice(2)];
    const whole = await stepOf(equal, { microBatchSize: 4 });
    const halves = await stepOf(equal, { microBatchSize: 2 });
    const [a, b] = [await stepOf(first, {}), await stepOf(second, {})];
    expect(halves.balance).toBeCloseTo((a.balance + b.balance) / 2, 5);
    expect(halves.balance).not.toBeCloseTo(whole.balance, 3);
    expect(halves.loss).toBeCloseTo(whole.loss!, 5);
    closeTo(
      halves.update,
      a.update.map((value, i) => (value + b.update[i]!) / 2),
    );
  });
});
