import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type FinetuneEvent,
  finetune,
  loadModel,
  measurePeak,
  systemInfo,
} from '../../src/index.js';
import { temporaryFolder, tinyModel } from './tiny-model.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = 200;
// 16 sentences of 33 tokens: enough to learn for 200 steps without memorizing them.
const rows = Array.from({ length: 16 }, (_, i) => ({
  tokens: Array.from(
    { length: 33 },
    (_, j) => 97 + ((i * 7 + j * (1 + (i % 5)) + ((i * j) % 3)) % 26),
  ),
}));

/** Means over windows of ten steps. */
const smooth = (losses: Float64Array) =>
  Array.from({ length: losses.length - 9 }, (_, i) => {
    const window = losses.subarray(i, i + 10);
    return window.reduce((sum, loss) => sum + loss, 0) / window.length;
  });

describe('precision', () => {
  it('bf16 follows the loss curve of f32 within 1% over 200 steps', async () => {
    // Wide enough for the accelerator to take the products; smaller ones stay on ggml.
    const path = await tinyModel('tiny-wide-q8_0', {
      embeddingLength: 128,
      feedForwardLength: 256,
      initStd: 0.1,
      type: 'Q8_0',
    });
    await using model = await loadModel(path);
    const train = async (precision: 'f32' | 'bf16') => {
      const events: FinetuneEvent[] = [];
      const run = finetune({
        model,
        dataset: rows,
        output: join(folder, `${precision}.gguf`),
        precision,
        loss: 'all',
        sequenceLength: 33,
        batchSize: 8,
        microBatchSize: 8,
        epochs: steps / 2,
        optimizer: { learningRate: 1e-3 },
        threads: 1,
      });
      for await (const event of run) events.push(event);
      return { losses: (await run.result).losses, events };
    };
    const f32 = await train('f32');
    const bf16 = await train('bf16');

    expect(f32.losses.length).toBe(steps);
    expect(f32.losses.at(-1)).toBeLessThan(0.8 * f32.losses[0]!);
    const expected = smooth(f32.losses);
    smooth(bf16.losses).forEach((loss, i) => {
      expect(Math.abs(loss / expected[i]! - 1), `from step ${i + 1}`).toBeLessThan(0.01);
    });

    const warned = bf16.events.some(
      (event) => event.type === 'warning' && event.code === 'PRECISION_UNAVAILABLE',
    );
    expect(warned).toBe(!systemInfo().cpuAccelerator?.fastBf16);
    // Without bfloat16 units both runs use F32 and are identical.
    if (systemInfo().cpuAccelerator?.fastBf16) expect(bf16.losses).not.toEqual(f32.losses);
    else expect(bf16.losses).toEqual(f32.losses);
  });
});

describe('precision auto', () => {
  it.each([
    ['narrow', 64, 'lora', false],
    ['wide', 512, 'lora', true],
  ] as const)('of a %s model', async (name, embeddingLength, mode, pays) => {
    const path = await tinyModel(`tiny-${name}-auto`, { embeddingLength, type: 'F32' });
    const { precision } = await finetune({
      model: path,
      mode,
      dataset: rows.slice(0, 2),
      output: join(folder, `auto-${name}.gguf`),
      loss: 'all',
      sequenceLength: 33,
      maxSteps: 1,
      threads: 1,
    }).result;
    expect(precision).toBe(pays && systemInfo().cpuAccelerator?.fastBf16 ? 'bf16' : 'f32');
  });
});

describe('systemInfo().cpuAccelerator', () => {
  it('is present exactly if ggml has its device', () => {
    const { devices, cpuAccelerator } = systemInfo();
    const device = devices.find(({ name }) => name === 'cpu-accelerator');
    expect(cpuAccelerator?.description).toBe(device?.description);
    if (device !== undefined) expect(device.type).toBe('accel');
  });
});

describe('measurePeak', () => {
  it('measures every shape through the fastest library and through ggml', async () => {
    const { cpuAccelerator } = systemInfo();
    for (const library of ['fastest', 'ggml'] as const) {
      const peak = await measurePeak({ precision: 'bf16', threads: 1, library });
      const isOneDnn = library === 'fastest' && cpuAccelerator !== null;
      expect(peak.library).toMatch(isOneDnn ? /^oneDNN \d/ : /^ggml$/);
      expect(peak.precision).toBe(isOneDnn && !cpuAccelerator.fastBf16 ? 'f32' : 'bf16');
      expect(peak.threads).toBe(1);
      expect(peak.shapes.length).toBeGreaterThan(2);
      for (const shape of peak.shapes) {
        expect(shape.medianGflops).toBeGreaterThan(0);
        expect(shape.bestGflops).toBeGreaterThanOrEqual(shape.medianGflops);
        expect(shape.repetitions).toBeGreaterThanOrEqual(3);
      }
      expect(peak.medianGflops).toBe(Math.max(...peak.shapes.map((shape) => shape.medianGflops)));
    }
  });

  it('can be aborted, and names a wrong option', async () => {
    const signal = AbortSignal.timeout(20);
    await expect(measurePeak({ signal })).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(measurePeak({ library: 'mkl' as 'ggml' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
