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
  it('the event loop stays idle, timers fire within steps, and an abort ends the run', async () => {
    const run = finetuneLora({
      model: path,
      dataset: Array.from({ length: 64 }, (_, i) => ({ text: `Sample ${i} `.repeat(10) })),
      output: join(folder, 'adapter.gguf'),
      loss: 'all',
      sequenceLength: 128,
      batchSize: 4,
      microBatchSize: 4,
      epochs: 100,
    });
    let steps = 0;
    const watch = async () => {
      for await (const event of run) if (event.type === 'step') steps++;
    };
    const followed = watch().catch((error: unknown) => error);
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    while (steps === 0) await wait(10);

    // Both checks are ratios, so a busy machine does not affect them. Training on the JavaScript thread would let timers
    // fire only between steps and keep the event loop busy.
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const [first, start] = [steps, performance.eventLoopUtilization()];
    while (steps < first + 10) await wait(10);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2 * (steps - first));
    expect(performance.eventLoopUtilization(start).utilization).toBeLessThan(0.5);

    const before = steps;
    await run[Symbol.asyncDispose]();
    expect(await followed).toMatchObject({ code: 'ABORTED' });
    // Includes steps that were done but not yet delivered; 1500 steps were left.
    expect(steps - before).toBeLessThan(5);
  });

  it('a blocked event loop delays the run but loses no event', async () => {
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
      // Blocks JavaScript long enough for more steps than the event queue can hold.
      if (event.step === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
      steps.push(event.step);
    }
    expect(steps).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1));
    expect((await run.result).losses.length).toBe(2500);
  });

  it('20 rounds of loading, training, aborting and disposing leak no memory and no thread', async () => {
    const script = fileURLToPath(new URL('./rounds.mjs', import.meta.url));
    const { exit, stdout, stderr } = await runNode(['--expose-gc', script, path, folder, '25']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const rounds = jsonLines(stdout) as { rss: number; threads: number | null }[];
    const median = (from: number, to: number) =>
      rounds
        .slice(from, to)
        .map(({ rss }) => rss)
        .sort((a, b) => a - b)[Math.floor((to - from) / 2)]!;
    // The first five rounds warm up lazily loaded code and the arenas of the allocator.
    expect(median(20, 25) - median(5, 10)).toBeLessThan(24e6);
    expect(rounds.at(-1)!.threads).toBe(rounds[5]!.threads);
  });
});
