import { describe, expect, it } from 'vitest';
import { parseNvidiaSmi } from '../../../../src/hardware/sources/nvidia-smi.js';

const gibibytes = (count: number) => count * 1024 ** 3;

describe('parseNvidiaSmi', () => {
  it('reads a line of --format=csv,noheader,nounits', () => {
    expect(parseNvidiaSmi('1, 285.43, 67, 98, 12288, 24576')).toMatchObject({
      source: 'nvidia-smi',
      device: 'GPU 1',
      scope: 'gpu',
      power: 285.43,
      temperature: 67,
      utilization: 0.98,
      memoryUsed: gibibytes(12),
      memoryTotal: gibibytes(24),
      energy: null,
    });
  });

  it.each(['[N/A]', '[Not Supported]', '[Unknown Error]', 'N/A', '[GPU requires reset]'])(
    'reports nothing for %s',
    (text) => {
      expect(parseNvidiaSmi(`0, ${text}, 41, ${text}, ${text}, 8192`)).toMatchObject({
        power: null,
        temperature: 41,
        utilization: null,
        memoryUsed: null,
        memoryTotal: gibibytes(8),
      });
    },
  );

  it.each([
    '',
    'index, power.draw [W], temperature.gpu, utilization.gpu [%], memory.used [MiB], memory.total [MiB]',
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    '0, 285.43, 67',
    'Field "power.draw" is not a valid field to query.',
  ])('takes no other line for a measurement: %s', (line) => {
    expect(parseNvidiaSmi(line)).toBeNull();
  });
});
