import { describe, expect, it } from 'vitest';
import { hardwareName } from '../../../src/community/hardware-name.js';
import { results } from '../report/suite/fixture.js';

const nameOf = (machine: Partial<typeof results.machine>, device = 'auto') =>
  hardwareName({
    machine: { ...results.machine, environment: {}, devices: [], instructionSets: [], ...machine },
    trials: results.trials.map((trial) => ({ ...trial, spec: { ...trial.spec, device } })),
  });
const gpu = (description: string) => ({ name: 'GPU', description, memoryBytes: 1, driver: null });

describe('hardwareName', () => {
  it('names a CPU with its cores and its best instruction set', () => {
    const flags = ['amx_bf16', 'avx2', 'avx512_bf16', 'avx512f'];
    expect(nameOf({ cpu: 'Intel Xeon® Processor', cores: 2, instructionSets: flags })).toBe(
      'intel-xeon-2cores-amx',
    );
    expect(
      nameOf({ cpu: 'AMD Ryzen 9 7950X 16-Core Processor', cores: 16, instructionSets: ['avx2'] }),
    ).toBe('amd-ryzen-9-7950x-16cores-avx2');
    expect(nameOf({ cpu: 'Intel(R) Core(TM) i7-1185G7 @ 3.00GHz', cores: 4 })).toBe(
      'intel-core-i7-1185g7-4cores',
    );
    expect(nameOf({ cpu: 'Apple M3 Pro', cores: 12 })).toBe('apple-m3-pro-12cores');
  });

  it('names the GPUs if they were used', () => {
    const devices = [gpu('NVIDIA GeForce RTX 4090')];
    expect(nameOf({ devices })).toBe('nvidia-geforce-rtx-4090');
    expect(nameOf({ devices: [gpu('AMD Radeon RX 7900 XTX (RADV NAVI31)')] })).toBe(
      'amd-radeon-rx-7900-xtx',
    );
    expect(nameOf({ devices, cpu: 'Apple M3 Pro', cores: 12 }, 'cpu')).toBe('apple-m3-pro-12cores');
  });

  it('says which variables limited it', () => {
    const environment = { ONEDNN_MAX_CPU_ISA: 'AVX512_CORE' };
    expect(nameOf({ cpu: 'Apple M3 Pro', cores: 12, environment })).toBe(
      'apple-m3-pro-12cores-onednn-max-cpu-isa-avx512-core',
    );
  });
});
