import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SuiteOptions } from '../../src/index.js';
import { tinyModel } from './tiny-model.js';

// Trials run in separate processes, which need JavaScript: the build, not the sources.
const build = new URL('../../dist/index.js', import.meta.url).href;
const { renderReport, runSuite } = (await import(build)) as typeof import('../../src/index.js');

const folder = mkdtempSync(join(tmpdir(), 'suite-hardware-test-'));
const path = process.env.PATH;
let model: string;
beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Trials 'seed 1', 'seed 2', … that take some seconds each. */
const suite = (seeds: number[]): SuiteOptions => ({
  name: 'hardware',
  models: [model],
  devices: ['cpu'],
  measurePeak: false,
  cloudPricePerHour: '$2.50',
  benchmarks: [
    {
      task: 'training',
      steps: 150,
      options: { sequenceLength: 64, batchSize: 8, threads: 1 },
      vary: { seed: seeds },
    },
  ],
});

const rows = (output: string) =>
  parse(readFileSync(join(output, 'hardware.csv'), 'utf8'), { columns: true }) as Record<
    string,
    string
  >[];

describe.skipIf(process.platform === 'win32')('a suite on a machine with a GPU tool', () => {
  // a script that does what nvidia-smi does
  beforeAll(() => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    const line = "echo '0, 100.0, 36, 8, 2600, 32624'; sleep 0.2";
    const script = `#!/bin/sh\necho $$ >> '${folder}/pids'\nwhile true; do ${line}; done\n`;
    writeFileSync(join(bin, 'nvidia-smi'), script, { mode: 0o755 });
    process.env.PATH = `${bin}${delimiter}${path}`;
  });
  afterAll(() => {
    process.env.PATH = path;
  });

  function endedTools(): boolean {
    const pids = readFileSync(join(folder, 'pids'), 'utf8').trim().split('\n');
    return pids.every((pid) => {
      try {
        return !process.kill(Number(pid), 0);
      } catch {
        return true;
      }
    });
  }

  async function abortedInSecondTrial(output: string): Promise<void> {
    const run = runSuite({ suite: suite([1, 2]), output });
    for await (const event of run) if (event.type === 'trial' && event.index === 1) run.abort();
  }

  it('keeps readings and device states of every trial, also of one that was continued', async () => {
    const output = join(folder, 'results');
    await expect(abortedInSecondTrial(output)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(endedTools()).toBe(true);
    const before = rows(output);
    const keys = (found: typeof before) => [...new Set(found.map(({ trial }) => trial))];
    expect(keys(before)).toHaveLength(1);

    const results = await runSuite({ suite: suite([1, 2]), output, resume: true }).result;
    expect(endedTools()).toBe(true);
    expect(results.sensors).toContainEqual({ source: 'nvidia-smi', problem: null });
    const after = rows(output);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(keys(after)).toEqual(results.trials.map(({ key }) => key));

    for (const { key, hardware, measures } of results.trials) {
      const ofGpu = after.filter(({ trial, device }) => trial === key && device === 'GPU 0');
      const measured = ofGpu.filter(({ part }) => part === 'measured');
      expect(measured.length).toBeGreaterThanOrEqual(4);
      expect(ofGpu.length).toBeGreaterThan(measured.length);
      expect(measured[0]).toMatchObject({ power_w: '100', temperature_c: '36', scope: 'gpu' });
      for (const states of [hardware!.before, hardware!.after]) {
        expect(states).toContainEqual(
          expect.objectContaining({ device: 'GPU 0', temperature: 36, utilization: 0.08 }),
        );
      }
      // it was the CPU that trained, so the power of the GPU is not that of the trial
      const gpu = hardware!.power.find(({ device }) => device === 'GPU 0')!;
      expect(gpu).toMatchObject({ average: 100, peak: 100, counted: false });
      expect(gpu.coverage).toBeGreaterThan(0.9);
      if (hardware!.power.length === 1) expect(measures).not.toHaveProperty('averagePower');
    }
    const report = renderReport(results, { format: 'text' });
    expect(report).toContain('Power by device');
  });
});
