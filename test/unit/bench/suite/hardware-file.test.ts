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
const path = () => join(folder, 'hardware.csv');
const start = (...kept: string[]) =>
  startHardwareFile(path(), 'trial', (name) => kept.includes(name));
const text = () => readFileSync(path(), 'utf8');
const trials = () =>
  text()
    .split('\n')
    .slice(1, -1)
    .map((line) => line.slice(0, line.indexOf(',1970')));

describe('hardware.csv', () => {
  it('keeps the lines of finished trials when a suite is continued', async () => {
    await start();
    await addReadings(path(), 'training | rank 4, alpha 8', [gpu, gpu], null);
    await addReadings(path(), 'inference', [gpu], null);
    const before = text();
    await start('training | rank 4, alpha 8', 'inference');
    expect(text()).toBe(before);
    await start('training | rank 4, alpha 8');
    expect(trials()).toEqual(Array(2).fill('"training | rank 4, alpha 8"'));
  });

  it.each(['"training | rank 4, al', 'inference,1970-01-01T00:', 'inference'])(
    'leaves out a line that was cut off: %s',
    async (cut) => {
      await start();
      await addReadings(path(), 'inference', [gpu], null);
      const before = text();
      appendFileSync(path(), cut);
      await start('inference', 'training | rank 4, alpha 8');
      expect(text()).toBe(before);
    },
  );

  it('computes the power of a counter from readings that are in the file already', async () => {
    const counter = (time: number, energy: number) =>
      reading({ source: 'rapl', device: 'CPU', scope: 'cpu', time, energy });
    const readings = [counter(0, 0), counter(3_600_000, 20)];
    await start();
    await addReadings(path(), 'a', readings.slice(0, 1), null);
    await addReadings(path(), 'a', readings, null, 1);
    expect(text().trimEnd().split('\n')).toHaveLength(3);
    expect(text()).toMatch(/,CPU,cpu,20,/);
  });

  it('says which file cannot be written', async () => {
    await expect(
      addReadings(join(folder, 'none', 'hardware.csv'), 'a', [gpu], null),
    ).rejects.toMatchObject({
      code: 'OUTPUT_NOT_WRITABLE',
      message: expect.stringContaining('hardware.csv'),
    });
  });
});
