import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finetuneLora } from '../../src/index.js';
import { jsonLines, runNode } from './command-line.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
let path: string;
beforeAll(async () => {
  // Large enough that a step takes a while, and that a leak of its weights or buffers would show.
  path = await tinyModel('small-f32', {
    embeddingLength: 256,
    layers: 4,
    kvHeads: 4,
    feedForwardLength: 768,
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('while a training runs', () => {
  it('a timer of 10 ms stays within 50 ms (99th percentile)', async () => {
    const dataset = Array.from({ length: 64 }, (_, i) => ({ text: `Sample ${i} `.repeat(10) }));
    const options = {
      model: path,
      dataset,
      output: join(folder, 'adapter.gguf'),
      loss: 'all',
    } as const;
    const run = finetuneLora({
      ...options,
      sequenceLength: 128,
      batchSize: 4,
      microBatchSize: 4,
      epochs: 100,
    });
    const stepMs: number[] = [];
    const watch = async () => {
      for await (const event of run) if (event.type === 'step') stepMs.push(event.stepMs);
    };
    const followed = watch().catch((error: unknown) => error);
    while (stepMs.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));

    const gaps: number[] = [];
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      gaps.push(now - last);
      last = now;
    }, 10);
    const before = stepMs.length;
    do await new Promise((resolve) => setTimeout(resolve, 3000));
    while (stepMs.length < before + 3);
    clearInterval(timer);

    const asked = performance.now();
    await run[Symbol.asyncDispose]();
    const stopped = performance.now() - asked;

    gaps.sort((a, b) => a - b);
    expect(gaps.length).toBeGreaterThan(200);
    expect(gaps[Math.floor(gaps.length * 0.99)]).toBeLessThan(50);
    expect(stopped).toBeLessThan(2 * Math.max(...stepMs) + 500);
    expect(await followed).toMatchObject({ code: 'ABORTED' });
  });

  it('a blocked event loop holds it up, and loses no event', async () => {
    const run = finetuneLora({
      model: await tinyModel(),
      dataset: [{ prompt: 'a', completion: 'b' }],
      output: join(folder, 'blocked.gguf'),
      sequenceLength: 8,
      batchSize: 1,
      epochs: 2500,
      threads: 1,
      lora: { rank: 1, targets: ['attn_q'] },
    });
    const steps: number[] = [];
    for await (const event of run) {
      if (event.type !== 'step') continue;
      // Nothing of JavaScript runs meanwhile: more steps than the queue has places for would be done.
      if (event.step === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
      steps.push(event.step);
    }
    expect(steps).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1));
    expect((await run.result).losses.length).toBe(2500);
  });

  it('20 rounds of loading, training, aborting and disposing leave no memory and no thread', async () => {
    const script = fileURLToPath(new URL('./rounds.mjs', import.meta.url));
    const { exit, stdout, stderr } = await runNode(['--expose-gc', script, path, folder, '25']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const rounds = jsonLines(stdout) as { rss: number; threads: number | null }[];
    const median = (from: number, to: number) =>
      rounds
        .slice(from, to)
        .map(({ rss }) => rss)
        .sort((a, b) => a - b)[Math.floor((to - from) / 2)]!;
    // The first five warm up: lazily loaded code, arenas of the allocator.
    expect(median(20, 25) - median(5, 10)).toBeLessThan(24e6);
    expect(rounds.at(-1)!.threads).toBe(rounds[5]!.threads);
  });
});
