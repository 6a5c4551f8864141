import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addReadings, startHardwareFile } from '../../../../src/bench/suite/hardware-file.js';
import { reading } from '../../../../src/hardware/reading.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hardware-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const gpu = reading({ source: 'nvidia-smi', device: 'GPU 0', scope: 'gpu', time: 0, power: 50 });
const text = () => readFileSync(join(folder, 'hardware.csv'), 'utf8');
const trials = () =>
  text()
    .split('\n')
    .slice(1, -1)
    .map((line) => line.slice(0, line.indexOf(',1970')));

describe('hardware.csv', () => {
  it('keeps the lines of finished trials when a suite is continued', async () => {
    await startHardwareFile(folder, new Set());
    await addReadings(folder, 'training | rank 4, alpha 8', [gpu, gpu], null);
    await addReadings(folder, 'inference', [gpu], null);
    const before = text();
    await startHardwareFile(folder, new Set(['training | rank 4, alpha 8', 'inference']));
    expect(text()).toBe(before);
    await startHardwareFile(folder, new Set(['training | rank 4, alpha 8']));
    expect(trials()).toEqual(Array(2).fill('"training | rank 4, alpha 8"'));
  });

  it.each(['"training | rank 4, al', 'inference,1970-01-01T00:', 'inference'])(
    'leaves out a line that was cut off: %s',
    async (cut) => {
      await startHardwareFile(folder, new Set());
      await addReadings(folder, 'inference', [gpu], null);
      const before = text();
      appendFileSync(join(folder, 'hardware.csv'), cut);
      await startHardwareFile(folder, new Set(['inference', 'training | rank 4, alpha 8']));
      expect(text()).toBe(before);
    },
  );

  it('says which file cannot be written', async () => {
    await expect(addReadings(join(folder, 'none'), 'a', [gpu], null)).rejects.toMatchObject({
      code: 'OUTPUT_NOT_WRITABLE',
      message: expect.stringContaining('hardware.csv'),
    });
  });
});
