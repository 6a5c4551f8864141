import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { finetuneSchema } from '../../src/config/finetune.js';
import {
  type EvaluationEvent,
  type FinetuneEvent,
  type FinetuneOptions,
  finetune,
  type StepEvent,
} from '../../src/index.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
const model = await tinyModel();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = ['red', 'blue', 'green', 'grey'].map((completion, i) => ({
  prompt: `Colour ${i}?`,
  completion: ` ${completion}`,
}));

async function follow(options: Partial<FinetuneOptions>): Promise<FinetuneEvent[]> {
  const events: FinetuneEvent[] = [];
  const output = join(folder, 'adapter.gguf');
  const quick = { model, dataset: rows, output, batchSize: 4, sequenceLength: 32, threads: 1 };
  for await (const event of finetune({ ...quick, ...options })) events.push(event);
  return events;
}

const stepsOf = (events: FinetuneEvent[]) =>
  events.filter((event): event is StepEvent => event.type === 'step');

describe('the objective', () => {
  it('passes every option of the objective to the engine', async () => {
    const { type: _, ...all } = finetuneSchema.parse({
      model,
      dataset: rows,
      output: 'a',
    }).objective;
    expect(Object.keys(all)).toEqual(['labelSmoothing']);
    const firstSteps = async (labelSmoothing: number) =>
      stepsOf(await follow({ maxSteps: 1, objective: { labelSmoothing } }))[0]!;
    const [plain, smoothed] = [await firstSteps(0), await firstSteps(0.5)];
    expect(smoothed.loss).not.toBeCloseTo(plain.loss!, 3);
    expect(smoothed.metrics).toEqual(plain.metrics);
  });

  it('reports the token accuracy of steps, evaluations and epochs', async () => {
    const events = await follow({
      epochs: 30,
      optimizer: { learningRate: 0.02 },
      validation: { dataset: rows },
    });
    const measured = events.filter(
      (event): event is StepEvent | EvaluationEvent =>
        event.type === 'step' || event.type === 'evaluation',
    );
    for (const { metrics, targetTokens } of measured) {
      expect(Object.keys(metrics)).toEqual(['tokenAccuracy']);
      const hits = metrics.tokenAccuracy! * targetTokens;
      expect(hits).toBeCloseTo(Math.round(hits), 9);
    }
    const [first, last] = [measured[0]!.metrics.tokenAccuracy!, measured.at(-1)!];
    expect(last.type).toBe('evaluation');
    expect(last.metrics.tokenAccuracy).toBeGreaterThan(first + 0.2);
    const lastEpoch = events.findLast((event) => event.type === 'epoch');
    const lastStep = stepsOf(events).at(-1); // the only one of its epoch
    expect(lastEpoch?.metrics.tokenAccuracy).toBeCloseTo(lastStep!.metrics.tokenAccuracy!, 12);
    const done = events.at(-1);
    expect(done?.type === 'done' && done.result.evaluations.at(-1)?.metrics).toEqual(last.metrics);
  });
});
