import { describe, expect, it } from 'vitest';
import type { TrialSpec } from '../../../../src/bench/suite/results.js';
import { powerOfTrial } from '../../../../src/bench/suite/trial-hardware.js';
import { type Reading, reading } from '../../../../src/hardware/reading.js';

const MEASURED = { from: 10_000, to: 46_000, tokens: 7200 };

const trial = (device: string, options = {}): TrialSpec => ({
  kind: 'inference',
  model: 'base.gguf',
  weightType: 'as-is',
  device,
  prompt: 'Hello',
  runs: 1,
  warmup: 0,
  options,
});

/** A minute of readings with the same power. */
function readings(
  source: string,
  device: string,
  scope: Reading['scope'],
  power: number,
): Reading[] {
  return Array.from({ length: 61 }, (_, i) =>
    reading({ source, device, scope, power, time: 1000 * i }),
  );
}

const cpu = readings('rapl', 'CPU package 0', 'cpu', 40);
const memory = readings('rapl', 'memory of CPU package 0', 'memory', 10);
const gpu = readings('nvidia-smi', 'GPU 0', 'gpu', 200);
const apu = readings('amd-smi', 'GPU 0', 'gpu', 55);
const battery = readings('battery', 'battery', 'machine', 60);

const NO_GPU: { type: 'cpu' }[] = [{ type: 'cpu' }];
const GPU = [{ type: 'cpu' as const }, { type: 'gpu' as const }];
const INTEGRATED = [{ type: 'cpu' as const }, { type: 'igpu' as const }];

/** The average power of a trial, or null, and the devices that it is the sum of. */
function powered(spec: TrialSpec, found: Reading[], devices: typeof GPU | typeof INTEGRATED) {
  const { power, measures } = powerOfTrial(spec, found, MEASURED, devices);
  const counted = power.filter((each) => each.counted).map(({ device }) => device);
  return { watts: measures.averagePower?.median ?? null, counted };
}

describe('the power of a trial', () => {
  it('gives energy and tokens per Wh of the counted runs', () => {
    const { measures } = powerOfTrial(trial('cpu'), [...cpu, ...memory], MEASURED, NO_GPU);
    expect(measures.averagePower).toMatchObject({ unit: 'W', median: 50, source: 'measured' });
    expect(measures.peakPower!.median).toBe(50);
    expect(measures.energy!.median).toBeCloseTo(0.5, 9);
    expect(measures.tokensPerWh!.median).toBeCloseTo(14_400, 6);
  });

  it('is the sum of the parts, not of the parts and the machine', () => {
    expect(powered(trial('auto'), [...cpu, ...gpu, ...battery], GPU)).toEqual({
      watts: 240,
      counted: ['CPU package 0', 'GPU 0'],
    });
    expect(powered(trial('auto'), battery, GPU)).toEqual({ watts: 60, counted: ['battery'] });
  });

  it('is not known if the device that computes was not measured', () => {
    const unknown = { watts: null, counted: [] };
    expect(powered(trial('cpu'), gpu, GPU)).toEqual(unknown);
    expect(powered(trial('auto', { gpuLayers: 0 }), gpu, GPU)).toEqual(unknown);
    expect(powered(trial('auto'), cpu, GPU)).toEqual(unknown);
    expect(powered(trial('CUDA0'), gpu, GPU)).toEqual({ watts: 200, counted: ['GPU 0'] });
    expect(powered(trial('auto', { rpc: ['localhost:50052'] }), [...cpu, ...gpu], GPU)).toEqual(
      unknown,
    );
  });

  it('does not count an integrated GPU twice', () => {
    expect(powered(trial('auto'), [...cpu, ...apu], INTEGRATED)).toEqual({
      watts: 40,
      counted: ['CPU package 0'],
    });
    expect(powered(trial('auto'), apu, INTEGRATED)).toEqual({ watts: 55, counted: ['GPU 0'] });
  });

  it('still lists what is not counted', () => {
    const { power } = powerOfTrial(trial('cpu'), gpu, MEASURED, GPU);
    expect(power).toMatchObject([{ device: 'GPU 0', average: 200, coverage: 1, counted: false }]);
  });

  it('is not known without a counted run', () => {
    expect(powerOfTrial(trial('cpu'), cpu, null, NO_GPU)).toEqual({ power: [], measures: {} });
  });
});
