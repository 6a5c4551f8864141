import { describe, expect, it } from 'vitest';
import { parseAmdSmi, parseRocmSmi } from '../../../../src/hardware/sources/amd.js';

const mib = (count: number) => count * 1024 ** 2;

/** amd-smi metric --power --temperature --usage --mem-usage --json of ROCm 6. */
const amdSmi = [
  {
    gpu: 0,
    usage: {
      gfx_activity: { value: 87, unit: '%' },
      umc_activity: { value: 41, unit: '%' },
      mm_activity: 'N/A',
    },
    power: {
      socket_power: { value: 214, unit: 'W' },
      gfx_voltage: { value: 925, unit: 'mV' },
      throttle_status: 'UNTHROTTLED',
    },
    temperature: {
      edge: { value: 52, unit: 'C' },
      hotspot: { value: 71, unit: 'C' },
      mem: { value: 64, unit: 'C' },
    },
    mem_usage: {
      total_vram: { value: 32624, unit: 'MB' },
      used_vram: { value: 12288, unit: 'MB' },
      free_vram: { value: 20336, unit: 'MB' },
    },
  },
];

describe('parseAmdSmi', () => {
  it('reads values with units', () => {
    expect(parseAmdSmi(amdSmi)).toMatchObject([
      {
        source: 'amd-smi',
        device: 'GPU 0',
        scope: 'gpu',
        power: 214,
        temperature: 52,
        utilization: 0.87,
        memoryUsed: mib(12288),
        memoryTotal: mib(32624),
      },
    ]);
  });

  it('reads the form of newer versions', () => {
    expect(parseAmdSmi({ gpu_data: amdSmi })).toMatchObject([{ power: 214 }]);
  });

  it('reports nothing for N/A, and uses the hot spot of a GPU without an edge sensor', () => {
    const gpu = {
      gpu: 3,
      usage: { gfx_activity: 'N/A' },
      power: { socket_power: 'N/A' },
      temperature: { edge: 'N/A', hotspot: { value: 38, unit: 'C' } },
      mem_usage: 'N/A',
    };
    expect(parseAmdSmi([gpu])).toMatchObject([
      { device: 'GPU 3', power: null, temperature: 38, utilization: null, memoryUsed: null },
    ]);
  });

  it.each([null, 'text', {}, [], [{}], { gpu_data: 'N/A' }])('finds no GPU in %j', (json) => {
    expect(parseAmdSmi(json)).toEqual([]);
  });
});

describe('parseRocmSmi', () => {
  it('reads the texts of every card', () => {
    const output = {
      card0: {
        'Temperature (Sensor edge) (C)': '35.0',
        'Temperature (Sensor junction) (C)': '41.0',
        'Temperature (Sensor memory) (C)': '48.0',
        'Average Graphics Package Power (W)': '70.8',
        'GPU use (%)': '8',
        'VRAM Total Memory (B)': '34208743424',
        'VRAM Total Used Memory (B)': '2791728742',
      },
      card1: {
        'Temperature (Sensor junction) (C)': '72.0',
        'Current Socket Graphics Package Power (W)': '550.0',
        'GPU use (%)': 'N/A',
      },
      system: { 'Driver version': '6.12.12' },
    };
    expect(parseRocmSmi(output)).toMatchObject([
      {
        source: 'rocm-smi',
        device: 'GPU 0',
        scope: 'gpu',
        power: 70.8,
        temperature: 35,
        utilization: 0.08,
        memoryUsed: 2791728742,
        memoryTotal: 34208743424,
      },
      { device: 'GPU 1', power: 550, temperature: 72, utilization: null, memoryUsed: null },
    ]);
  });

  it.each([null, [], 'text', { system: {} }])('finds no GPU in %j', (json) => {
    expect(parseRocmSmi(json)).toEqual([]);
  });
});
