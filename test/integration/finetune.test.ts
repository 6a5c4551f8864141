import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { finetuneSchema } from '../../src/config/finetune.js';
import {
  type FinetuneEvent,
  type FinetuneOptions,
  finetune,
  finetuneFull,
  finetuneLora,
  generate,
  LlamatuneError,
  type LoadedModel,
  loadModel,
  quantizeModel,
  type StepEvent,
} from '../../src/index.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
const output = join(folder, 'adapter.gguf');
let path: string;
let model: LoadedModel;
beforeAll(async () => {
  path = await tinyModel();
  model = await loadModel(path);
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const answers = ['red', 'blue', 'green', 'grey', 'pink', 'teal', 'gold', 'lime'];
const rows = answers.map((completion, i) => ({
  prompt: `Colour ${i}?`,
  completion: ` ${completion}`,
}));

/**
 * Quick to run: a few short rows, one thread (see generate.test.ts). Without model cards, because the chart library grows the
 * process, which the memory estimate of the next run counts.
 */
const quick = (options: Partial<FinetuneOptions> = {}): FinetuneOptions => ({
  model,
  dataset: rows,
  output,
  sequenceLength: 32,
  batchSize: 4,
  microBatchSize: 2,
  threads: 1,
  modelCard: false,
  ...options,
});

const stepsOf = (events: FinetuneEvent[]) =>
  events.filter((event): event is StepEvent => event.type === 'step');

async function follow(options: FinetuneOptions): Promise<FinetuneEvent[]> {
  const events: FinetuneEvent[] = [];
  for await (const event of finetune(options)) events.push(event);
  return events;
}

describe('finetune', () => {
  it('has a function for each mode, which refuses the other mode', async () => {
    expect((await finetuneLora(quick({ maxSteps: 1 })).result).mode).toBe('lora');
    const other = { ...quick(), mode: 'full' } as FinetuneOptions;
    expect(() => finetuneLora(other)).toThrow("mode: expected 'lora' for this function");
    expect(() => finetuneFull({ ...other, mode: 'lora' } as FinetuneOptions)).toThrow(
      LlamatuneError,
    );
  });

  it('overfits eight samples, and generate repeats them with the adapter', async () => {
    // Larger initial weights, because small random embeddings cannot give confident logits.
    await using model = await loadModel(await tinyModel('tiny-large-init', { initStd: 0.2 }));
    const learned = join(folder, 'learned.gguf');
    const run = finetune(
      quick({
        model,
        output: learned,
        epochs: 150,
        batchSize: 8,
        microBatchSize: 8,
        lora: { rank: 16, alpha: 32 },
        optimizer: { learningRate: 1e-2, weightDecay: 0 },
        scheduler: { type: 'cosine', warmupSteps: 5 },
      }),
    );
    const result = await run.result;
    expect(result.finalLoss).toBeLessThan(0.05);
    expect(result.losses[0]).toBeGreaterThan(2);

    const answer = (adapters: string[], prompt: string) =>
      generate({ model, prompt, adapters, temperature: 0, maxTokens: 8, threads: 1 }).result;
    for (const { prompt, completion } of rows) {
      expect((await answer([learned], prompt)).text).toBe(completion);
      expect((await answer([], prompt)).text).not.toBe(completion);
    }
  });

  it('reports phases, steps and the result, in order', async () => {
    const events = await follow(quick({ epochs: 3 }));
    const phases = events.flatMap((event) => (event.type === 'phase' ? [event.phase] : []));
    expect(phases.slice(0, 2)).toEqual(['validate', 'model']);
    expect([...new Set(phases)].slice(2)).toEqual(['dataset', 'memory', 'graph', 'train', 'save']);
    const save = events.findIndex((event) => event.type === 'phase' && event.phase === 'save');
    expect(events[save]).toMatchObject({ detail: output, progress: null });
    expect(events.slice(save + 1).map(({ type }) => type)).toEqual(['done']);
    expect(events).toContainEqual(
      expect.objectContaining({ phase: 'graph', gradientCheckpointing: false }),
    );

    const steps = stepsOf(events);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const step of steps) {
      expect(step.totalSteps).toBe(6);
      expect(step.epoch).toBe(Math.ceil(step.step / 2));
      for (const key of ['loss', 'learningRate', 'gradientNorm', 'stepMs', 'tokens'] as const) {
        expect(step[key]).toBeGreaterThan(0);
      }
      expect(step.targetTokens).toBeLessThan(step.tokens);
    }
    const targets = rows.reduce((sum, row) => sum + row.completion.length, 0);
    expect(steps[0]!.targetTokens + steps[1]!.targetTokens).toBeGreaterThanOrEqual(targets);

    const last = events.at(-1)!;
    expect(last.type).toBe('done');
    if (last.type !== 'done') return;
    expect(last.result).toMatchObject({ mode: 'lora', output, steps: 6, epochs: 3, samples: 8 });
    expect([...last.result.losses]).toEqual(steps.map(({ loss }) => loss));
    expect(last.result.finalLoss).toBe(steps.at(-1)!.loss);
    expect(last.result.estimatedMemoryBytes).toBeGreaterThan(0);
    expect(existsSync(output)).toBe(true);
  });

  it('gives the same losses for the same seed and for any micro-batch size', async () => {
    const losses = async (options: Partial<FinetuneOptions>) =>
      (await finetune(quick({ epochs: 2, ...options })).result).losses;
    const first = await losses({ seed: 3 });
    expect([...(await losses({ seed: 3 }))]).toEqual([...first]);
    expect([...(await losses({ seed: 4 }))]).not.toEqual([...first]);
    const split = await losses({ seed: 3, microBatchSize: 1 });
    for (const [i, loss] of first.entries()) expect(split[i]).toBeCloseTo(loss, 4);
  });

  it('gives the same losses with gradient checkpointing, and reports that it is on', async () => {
    const run = async (gradientCheckpointing: boolean) => {
      const events = await follow(quick({ epochs: 2, gradientCheckpointing }));
      const graph = events.find((event) => event.type === 'phase' && event.phase === 'graph');
      const last = events.at(-1)!;
      return { graph, result: last.type === 'done' ? last.result : undefined };
    };
    const [off, on] = [await run(false), await run(true)];
    expect([...on.result!.losses]).toEqual([...off.result!.losses]);
    expect(on.graph).toMatchObject({
      gradientCheckpointing: true,
      detail: expect.stringMatching('recomputed'),
    });
    expect(off.graph).toMatchObject({ gradientCheckpointing: false, detail: '' });
    expect([off.result!.gradientCheckpointing, on.result!.gradientCheckpointing]).toEqual([
      false,
      true,
    ]);
  });

  it('computes the same gradient at every step with constant data and weights', async () => {
    const events = await follow(
      quick({
        dataset: rows.slice(0, 1),
        batchSize: 1,
        microBatchSize: 1,
        epochs: 4,
        optimizer: { learningRate: 1e-30, weightDecay: 0 },
      }),
    );
    const steps = stepsOf(events);
    expect(steps.length).toBe(4);
    for (const { gradientNorm, loss } of steps) {
      expect(gradientNorm).toBeCloseTo(steps[0]!.gradientNorm!, 6);
      expect(loss).toBeCloseTo(steps[0]!.loss!, 6);
    }
  });

  it('uses the schedule and ends at maxSteps', async () => {
    const events = await follow(
      quick({
        epochs: 10,
        maxSteps: 5,
        optimizer: { learningRate: 1e-3 },
        scheduler: { type: 'linear', warmupSteps: 2, minLearningRate: 1e-4 },
      }),
    );
    const rates = stepsOf(events).map(({ learningRate }) => learningRate);
    expect(rates.length).toBe(5);
    for (const [i, rate] of [5e-4, 1e-3, 1e-3, 7e-4, 4e-4].entries()) {
      expect(rates[i]).toBeCloseTo(rate, 6);
    }
  });

  it('repeats the dataset until maxSteps, with one schedule over all steps', async () => {
    const config = quick({ epochs: 1, scheduler: { type: 'linear' } });
    const inOneEpoch = (await finetuneLora(config).result).steps;
    const maxSteps = 2 * inOneEpoch + 1;
    const events = await follow({ ...config, maxSteps });
    const steps = stepsOf(events);
    expect(steps).toHaveLength(maxSteps);
    expect(steps.at(-1)).toMatchObject({ epoch: 3, totalSteps: maxSteps });
    expect(steps.at(-1)!.learningRate).toBeLessThan(steps[inOneEpoch]!.learningRate);
    const done = events.find(({ type }) => type === 'done');
    expect(done).toMatchObject({ result: { steps: maxSteps, epochs: 3 } });
  });

  it('passes every option of the optimizers to the engine', async () => {
    const finalLoss = async (optimizer: FinetuneOptions['optimizer']) =>
      (await finetuneLora(quick({ epochs: 2, optimizer })).result).finalLoss;
    const options = {
      adamw: { beta1: 0.5, beta2: 0.9, epsilon: 0.1, weightDecay: 0.9, maxGradientNorm: 0.01 },
      sgd: { momentum: 0.5, weightDecay: 0.9, maxGradientNorm: 0.01 },
    };
    for (const type of ['adamw', 'sgd'] as const) {
      const plain = await finalLoss({ type, learningRate: 0.1 });
      const { optimizer } = finetuneSchema.parse(quick({ optimizer: { type } }));
      expect(Object.keys(optimizer).sort()).toEqual(
        ['type', 'learningRate', ...Object.keys(options[type])].sort(),
      );
      for (const [name, value] of Object.entries(options[type])) {
        const loss = await finalLoss({ type, learningRate: 0.1, [name]: value });
        expect(loss, `${type} ${name}`).not.toBe(plain);
      }
    }
  });

  it('evaluates on a split and on a separate dataset', async () => {
    const split = await follow(quick({ epochs: 2, validation: { split: 0.25, everySteps: 1 } }));
    const evaluations = split.filter(({ type }) => type === 'evaluation');
    expect(evaluations.length).toBeGreaterThanOrEqual(4);
    const own = await finetune(quick({ validation: { dataset: rows.slice(0, 3) } })).result;
    expect(own).toMatchObject({ samples: 8, validationSamples: 3 });
    expect(own.finalValidationLoss).toBeGreaterThan(0);
    expect(own.evaluations.at(-1)?.loss).toBe(own.finalValidationLoss);
  });

  it('tells the size of the micro-batches', async () => {
    const step = { microBatchSize: undefined, batchSize: 2, dataset: [{ tokens: [1, 2, 3] }] };
    const chosen = async (options: Partial<FinetuneOptions>) =>
      (await finetune(quick({ ...step, ...options })).result).microBatchTokens;
    expect(await chosen({})).toBe(3);
    const dataset = rows.slice(0, 4);
    const whole = await chosen({ dataset, batchSize: 4 });
    expect(await chosen({ dataset, batchSize: 4, microBatchTokens: 1e9 })).toBe(whole);
    expect(await chosen({ packing: true })).toBeNull();
    expect(await chosen({ microBatchSize: 2 })).toBeNull();
  });

  it('evaluates samples that are longer than those of the training', async () => {
    const validation = { dataset: [{ prompt: 'a'.repeat(40), completion: 'b'.repeat(40) }] };
    const short = {
      dataset: rows.slice(0, 1),
      batchSize: 1,
      microBatchSize: undefined,
      sequenceLength: 128,
      optimizer: { learningRate: 1e-30 },
    };
    const { finalValidationLoss, microBatchTokens } = await finetune(
      quick({ ...short, validation }),
    ).result;
    expect(finalValidationLoss).toBeGreaterThan(0);
    expect(microBatchTokens).toBeGreaterThan(80);
    const padded = await finetune(quick({ ...short, validation, packing: false })).result;
    expect(padded.finalValidationLoss).toBeCloseTo(finalValidationLoss as number, 4);
    const tooFew = finetune(quick({ ...short, validation, microBatchTokens: 50 })).result;
    await expect(tooFew).rejects.toMatchObject({
      code: 'SAMPLE_TOO_LONG',
      message: expect.stringMatching(
        /^row 1: the sample has \d+ tokens, more than microBatchTokens/,
      ),
      hint: expect.stringContaining('microBatchTokens'),
    });
  });

  it('evaluates micro-batches of any number of rows', async () => {
    const losses: unknown[] = [];
    for (const microBatchSize of [1, 3, 150]) {
      const batches = { batchSize: 3 * microBatchSize, microBatchSize, maxSteps: 1 };
      const still = { learningRate: 1e-30 };
      const validation = { dataset: rows.slice(0, 7) };
      const run = finetune(quick({ ...batches, validation, optimizer: still, sequenceLength: 64 }));
      losses.push((await run.result).finalValidationLoss);
    }
    for (const loss of losses) expect(loss).toBeCloseTo(losses[0] as number, 4);
  });

  it('resumes from a checkpoint with the result of an uninterrupted run', async () => {
    const checkpointed = (name: string, resume: 'auto' | 'latest') =>
      quick({ epochs: 4, checkpoint: { directory: join(folder, name), everySteps: 3, resume } });
    const whole = await finetune(quick({ epochs: 4 })).result;

    const run = finetune(checkpointed('checkpoints', 'auto'));
    const stopAtCheckpoint = async () => {
      for await (const event of run) if (event.type === 'checkpoint') run.abort();
    };
    await expect(stopAtCheckpoint()).rejects.toMatchObject({ code: 'ABORTED' });
    const rest = finetune(checkpointed('checkpoints', 'latest'));
    let tokens = 0;
    for await (const event of rest) if (event.type === 'step') tokens += event.tokens;
    const resumed = await rest.result;
    expect(resumed.steps).toBe(whole.steps);
    expect(resumed.tokens).toBe(whole.tokens);
    expect(resumed.tokensPerSecond! * resumed.seconds).toBeCloseTo(tokens, 6);
    expect(resumed.losses).toEqual(whole.losses);
  });

  it('reads a CSV file of prompts and completions', async () => {
    const dataset = join(folder, 'rows.csv');
    const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const lines = rows.map(({ prompt, completion }) => `${cell(prompt)},${cell(completion)}`);
    writeFileSync(dataset, `prompt,completion\n${lines.join('\n')}\n`);
    const [fromFile, fromMemory] = [
      await finetune(quick({ dataset })).result,
      await finetune(quick({})).result,
    ];
    expect([...fromFile.losses]).toEqual([...fromMemory.losses]);
  });

  it('trains a quantized model on a JSONL file of chats', async () => {
    const dataset = join(folder, 'chats.jsonl');
    const chat = (i: number) => ({
      messages: [
        { role: 'user', content: `Colour ${i}?` },
        { role: 'assistant', content: answers[i] },
      ],
    });
    writeFileSync(dataset, answers.map((_, i) => JSON.stringify(chat(i))).join('\n'));
    const quantized = join(folder, 'q8.gguf');
    await quantizeModel({ input: path, output: quantized, type: 'Q8_0' });
    const result = await finetune(
      quick({
        model: quantized,
        dataset,
        sequenceLength: 128,
        epochs: 4,
        optimizer: { learningRate: 5e-3 },
      }),
    ).result;
    expect(result.losses.at(-1)).toBeLessThan(result.losses[0]!);
  });

  it('removes its temporary files after success and after an abort', async () => {
    // A separate folder, because other programs may use that of the system at the same time.
    const temporary = join(folder, 'temporary');
    mkdirSync(temporary);
    for (const name of ['TMPDIR', 'TMP', 'TEMP']) vi.stubEnv(name, temporary);
    expect(tmpdir()).toBe(temporary);
    await finetune(quick()).result;
    const run = finetune(quick({ epochs: 500 }));
    for await (const event of run) {
      if (event.type !== 'step') continue;
      expect(readdirSync(temporary)).toHaveLength(1);
      break;
    }
    await run[Symbol.asyncDispose]();
    expect(readdirSync(temporary)).toEqual([]);
    vi.unstubAllEnvs();
  });

  it('ends within one step after an abort and writes nothing', async () => {
    const never = join(folder, 'never.gguf');
    const run = finetune(quick({ output: never, epochs: 5000 }));
    const reason = new Error('enough');
    let after = 0;
    let aborted = false;
    const watch = async () => {
      for await (const event of run) {
        if (event.type !== 'step') continue;
        if (aborted) after += 1;
        else if (event.step >= 3) {
          aborted = true;
          run.abort(reason);
        }
      }
    };
    await expect(watch()).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    expect(after).toBeLessThan(200); // steps that were already in the queue
    expect(existsSync(never)).toBe(false);
  });

  it('trains if only the result is awaited', async () => {
    const result = await finetune(quick({ epochs: 2 })).result;
    expect(result.steps).toBe(4);
  });
});
