import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadModel, systemInfo } from '../../src/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const models = join(root, '.cache', 'test', 'bench-models');

/** `npm run bench:training -- …` without npm. */
function benchTraining(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'tools', 'bench-training', 'main.mjs'), '--models-dir', models, ...argv],
    { encoding: 'utf8', env: { ...process.env, DNNL_VERBOSE: '0' } },
  );
  return { status, stdout, stderr };
}

describe('npm run bench:training', () => {
  it('measures each row in a separate process and prints it as one line of JSON', async () => {
    const { status, stdout, stderr } = benchTraining(
      ...['--model', 'tiny', '--sequence', '16,32', '--micro-batch', '2', '--threads', '1'],
      ...['--steps', '2', '--warmup', '1', '--ragged', '--padded', '--json'],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringMatching('rror') });
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.map(({ sequence }) => sequence)).toEqual([16, 32]);
    const { cpuAccelerator } = systemInfo();
    for (const row of rows) {
      expect(row).toMatchObject({
        model: 'tiny',
        type: 'Q8_0',
        microBatch: 2,
        precision: 'bf16',
        ragged: true,
        gradientCheckpointing: 'off',
        threads: 1,
        steps: 2,
        peakPrecision: cpuAccelerator === null || cpuAccelerator.fastBf16 ? 'bf16' : 'f32',
        environment: { DNNL_VERBOSE: '0' },
      });
      for (const number of [
        ...['tokensPerSecond', 'stepMs', 'forwardMs', 'backwardMs', 'lossMs', 'optimizerMs'],
        ...['dataMs', 'startToFirstStepMs', 'flopPerToken', 'achievedGflops', 'peakGflops'],
      ]) {
        expect(row[number], number).toBeGreaterThan(0);
      }
      expect(row.minTokensPerSecond).toBeLessThanOrEqual(row.tokensPerSecond);
      expect(row.maxTokensPerSecond).toBeGreaterThanOrEqual(row.tokensPerSecond);
      expect(row.filled).toBeLessThan(1);
      expect(row.forwardMs + row.backwardMs + row.lossMs).toBeLessThan(1.1 * row.stepMs);
      // includes Node, the model and its activations
      expect(row.peakMemoryBytes).toBeGreaterThan(3e7);
      expect(row.fractionOfLimit).toBeCloseTo(row.achievedGflops / row.peakGflops, 9);
      expect(row.fractionOfLimit).toBeLessThan(1);
    }
    expect(rows[0].peakLibrary === 'ggml').toBe(cpuAccelerator === null);
  });

  it('knows the vocabulary size of its models', async () => {
    // @ts-expect-error: the benchmark's scripts are plain JavaScript
    const { shapes } = await import('../../tools/bench-training/shapes.mjs');
    // @ts-expect-error: the benchmark's scripts are plain JavaScript
    const { benchModel } = await import('../../tools/bench-training/models.mjs');
    const model = await loadModel(await benchModel('tiny', 'Q8_0', models));
    try {
      expect(model.info.vocabularySize).toBe(shapes.tiny.vocabularySize);
    } finally {
      await model.dispose();
    }
  });

  it('reports rows that could not be measured, and exits with status 1', () => {
    const { status, stdout, stderr } = benchTraining(
      ...['--model', 'tiny', '--sequence', '8192', '--micro-batch', '1', '--steps', '1'],
    );
    expect(status).toBe(1);
    expect(stderr).toContain('[SEQUENCE_TOO_LONG]');
    expect(stdout).toMatch(/^tiny +Q8_0 +1×8192 .*SEQUENCE_TOO_LONG$/m);
  });

  it('explains a wrong option', () => {
    const { status, stderr } = benchTraining('--model', 'none');
    expect(status).toBe(1);
    expect(stderr).toContain("but received 'none'");
    expect(stderr).toContain('npm run bench:training -- [options]');
  });
});

describe('the description of a machine', () => {
  it('has the properties that affect speed, but not the name of the machine', async () => {
    // @ts-expect-error: the benchmark's scripts are plain JavaScript
    const description = await import('../../tools/bench-training/machine.mjs');
    const { describeMachine, flagsIn, hostKind } = description;
    const machine = describeMachine();
    expect(machine).toMatchObject({
      cores: systemInfo().physicalCores,
      node: process.versions.node,
      llamaCpp: systemInfo().llamaCpp,
    });
    expect(machine.memoryBytes).toBeGreaterThan(1e8);
    expect(JSON.stringify(machine)).not.toContain(hostname());
    expect(flagsIn('processor : 0\nflags\t\t: fpu avx2 amx_tile avx sse\n')).toEqual([
      'avx',
      'avx2',
      'amx_tile',
    ]);
    expect(flagsIn('')).toEqual([]);
    const kind = (flags: string[]) => hostKind({ platform: 'linux-x64', cores: 2, flags });
    expect(kind(['avx2', 'avx512f', 'amx_tile'])).toBe('linux-x64-2cores-amx');
    expect(kind(['avx2'])).toBe('linux-x64-2cores-avx2');
    expect(kind([])).toBe('linux-x64-2cores');
  });
});
