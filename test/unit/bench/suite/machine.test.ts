import { describe, expect, it } from 'vitest';
import {
  driverOf,
  environmentOfRuns,
  instructionSets,
} from '../../../../src/bench/suite/machine.js';

describe('describeMachine', () => {
  it('lists the instruction sets that matrix products use', () => {
    expect(instructionSets('fpu vme AVX2 avx512f hypervisor amx_bf16 avx512_bf16')).toEqual([
      'amx_bf16',
      'avx2',
      'avx512_bf16',
      'avx512f',
    ]);
    expect(instructionSets('')).toEqual([]);
  });

  it('records only variables that change what runs', () => {
    expect(
      environmentOfRuns({
        PATH: '/home/alice/bin',
        ONEDNN_MAX_CPU_ISA: 'AVX2',
        CUDA_VISIBLE_DEVICES: '1',
        GGML_VK_VISIBLE_DEVICES: '0',
        LLAMATUNE_CPU_ACCELERATOR: 'off',
        LLAMATUNE_DEBUG: '1',
        OMP_NUM_THREADS: undefined,
      }),
    ).toEqual({
      CUDA_VISIBLE_DEVICES: '1',
      GGML_VK_VISIBLE_DEVICES: '0',
      LLAMATUNE_CPU_ACCELERATOR: 'off',
      ONEDNN_MAX_CPU_ISA: 'AVX2',
    });
  });

  it('finds the driver of a device by its description', () => {
    const controllers = [
      { model: 'AMD Radeon RX 7900 XTX', driverVersion: '' },
      { model: 'AD102', name: 'NVIDIA GeForce RTX 4090', driverVersion: '580.65.06' },
    ];
    expect(driverOf('NVIDIA GeForce RTX 4090', controllers)).toBe('580.65.06');
    expect(driverOf('AMD Radeon RX 7900 XTX (RADV NAVI31)', controllers)).toBeNull();
    expect(driverOf('Apple M3 Pro', controllers)).toBeNull();
  });
});
