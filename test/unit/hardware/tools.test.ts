import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HardwareSampler } from '../../../src/hardware/sampler.js';
import { amd } from '../../../src/hardware/sources/amd.js';
import { nvidiaSmi } from '../../../src/hardware/sources/nvidia-smi.js';
import { until } from './recorder.js';

// The programs are scripts that do what the tools do: this machine needs no GPU.

let folder: string;
const path = process.env.PATH;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tools-'));
  mkdirSync(join(folder, 'bin'));
  process.env.PATH = `${join(folder, 'bin')}${delimiter}${path}`;
});
afterEach(() => {
  process.env.PATH = path;
  delete process.env.CUDA_VISIBLE_DEVICES;
  rmSync(folder, { recursive: true });
});

/** Makes a program that writes its process id to 'pid' and its arguments to 'arguments' first. */
function program(name: string, lines: string): void {
  const note = `echo $$ > '${folder}/pid'\necho "$*" > '${folder}/arguments'\n`;
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${note}${lines}\n`, { mode: 0o755 });
}

const written = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();

function isRunning(): boolean {
  try {
    return process.kill(Number(written('pid')), 0);
  } catch {
    return false;
  }
}

const start = (signal?: AbortSignal) =>
  HardwareSampler.start({ sources: [nvidiaSmi(), amd()], intervalMs: 100, signal });

const TWO_GPUS = "echo '0, 100.0, 40, 50, 1024, 24576'\necho '1, [N/A], 41, 0, 0, 24576'";
const endlessly = (lines: string) => `while true; do\n${lines}\nsleep 0.05\ndone`;

describe.skipIf(process.platform === 'win32')('tools that measure', () => {
  it('are left out where they are not installed', async () => {
    process.env.PATH = join(folder, 'bin');
    await using sampler = await start();
    expect(sampler.sources).toEqual([]);
    expect(await sampler.latest()).toEqual([]);
  });

  it('run as one process until the sampler is closed', async () => {
    program('nvidia-smi', endlessly(TWO_GPUS));
    process.env.CUDA_VISIBLE_DEVICES = '0,1';
    const sampler = await start();
    expect(sampler.sources).toEqual([{ source: 'nvidia-smi', problem: null }]);
    expect(written('arguments')).toMatch(/^--id=0,1 --query-gpu=\S+ .* -lms 100$/);
    const states = await sampler.latest();
    expect(states.map(({ device, power }) => [device, power])).toEqual([
      ['GPU 0', 100],
      ['GPU 1', null],
    ]);
    expect(sampler.take().length).toBeGreaterThanOrEqual(4);
    expect(isRunning()).toBe(true);
    await sampler.close();
    expect(isRunning()).toBe(false);
  });

  it('are ended by the signal', async () => {
    program('nvidia-smi', endlessly(TWO_GPUS));
    const controller = new AbortController();
    await using sampler = await start(controller.signal);
    controller.abort();
    await until(() => !isRunning());
    sampler.take();
    expect(sampler.take()).toEqual([]);
  });

  it('are ended if they report nothing, with the processes that they have started', async () => {
    program('nvidia-smi', `sleep 1000 &\necho $! > '${folder}/pid'\nwait`);
    await using sampler = await start();
    expect(sampler.sources).toEqual([
      { source: 'nvidia-smi', problem: 'nvidia-smi reported nothing for 5 s' },
    ]);
    await until(() => !isRunning());
  });

  it('keep their readings if they crash later', async () => {
    program('nvidia-smi', `${TWO_GPUS}\nsleep 0.3\nkill -SEGV $$`);
    await using sampler = await start();
    await until(() => !isRunning());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await sampler.latest()).toEqual([]);
    expect(sampler.take()).toHaveLength(2);
  });

  it.each([
    ['cannot reach the driver', "echo 'NVIDIA-SMI has failed because'; exit 9", 'code 9'],
    ['are killed', 'kill -KILL $$', 'SIGKILL'],
    ['print garbage and end', 'head -c 1000 /dev/urandom', 'without a measurement'],
    ['print garbage for ever', 'exec yes garbage', 'reported nothing for 5 s'],
  ])('are not used if they %s', async (_, lines, problem) => {
    program('nvidia-smi', lines);
    await using sampler = await start();
    expect(sampler.sources).toMatchObject([{ problem: expect.stringContaining(problem) }]);
    expect(sampler.take()).toEqual([]);
    expect(isRunning()).toBe(false);
  });

  const CARD = '{"card0": {"Average Graphics Package Power (W)": "70.8", "GPU use (%)": "8"}}';

  it('are read again and again if they report once', async () => {
    program('rocm-smi', `echo '${CARD}'`);
    await using sampler = await start();
    expect(sampler.sources).toEqual([{ source: 'amd-smi or rocm-smi', problem: null }]);
    expect(written('arguments')).toContain('--showpower');
    expect(await sampler.latest()).toMatchObject([{ source: 'rocm-smi', power: 70.8 }]);
    expect(sampler.take()).toHaveLength(2);
  });

  it('take the place of one that does not work', async () => {
    program('amd-smi', 'echo "ERROR:root: Unable to load libamd_smi.so"; exit 0');
    await using broken = await start();
    expect(broken.sources).toMatchObject([{ problem: 'amd-smi did not write JSON' }]);
    program(
      'rocm-smi',
      `echo 'WARNING: AMD GPU device(s) is/are in a low-power state'\necho '${CARD}'`,
    );
    await using sampler = await start();
    expect(sampler.take()).toMatchObject([{ source: 'rocm-smi' }]);
  });

  it('are killed if one reading takes too long', async () => {
    program('rocm-smi', 'exec sleep 1000');
    await using sampler = await start();
    expect(sampler.sources).toMatchObject([{ problem: 'rocm-smi ended with SIGKILL' }]);
    expect(isRunning()).toBe(false);
  });
});
