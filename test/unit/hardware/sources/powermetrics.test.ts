import { describe, expect, it } from 'vitest';
import { parsePowermetrics, powermetrics } from '../../../../src/hardware/sources/powermetrics.js';

const appleSilicon = `Machine model: Mac14,2
OS version: 25C56
Boot arguments:
Boot time: Thu Sep 10 23:42:17 2026

*** Sampled system activity (Fri Sep 11 13:41:46 2026 -0700) (1002.90ms elapsed) ***

**** Processor usage ****

E-Cluster HW active frequency: 1248 MHz
E-Cluster HW active residency:  77.43% (600 MHz:   0% 912 MHz:  54% 2424 MHz: 8.7%)
CPU 0 frequency: 1359 MHz
CPU 0 active residency:  41.22% (600 MHz:   0% 912 MHz:  29% 2424 MHz: 12%)

CPU Power: 5823 mW
GPU Power: 12026 mW
ANE Power: 0 mW
Combined Power (CPU + GPU + ANE): 17849 mW

**** GPU usage ****

GPU HW active frequency: 1398 MHz
GPU HW active residency:  87.50% (444 MHz:   0% 1398 MHz:  88%)
GPU idle residency:  12.50%
GPU Power: 12026 mW
`;

const intel = `*** Sampled system activity (Thu Nov 19 10:13:30 2026 +0100) (1001.31ms elapsed) ***

**** Processor usage ****

Intel energy model derived package power (CPUs+GT+SA): 48.61W

LLC flushed residency: 0%
`;

describe('parsePowermetrics', () => {
  it('reads the CPU, the GPU and the neural engine, whose sum the tool reports too', () => {
    expect(parsePowermetrics(appleSilicon)).toMatchObject([
      { source: 'powermetrics', device: 'CPU', scope: 'cpu', power: 5.823, utilization: null },
      { device: 'GPU', scope: 'gpu', power: 12.026, utilization: 0.875 },
      { device: 'Neural Engine', scope: 'gpu', power: 0 },
    ]);
  });

  it("reads the package of Intel's processors", () => {
    expect(parsePowermetrics(intel)).toMatchObject([
      { device: 'CPU package', scope: 'cpu', power: 48.61 },
    ]);
  });

  it('reads nothing else', () => {
    expect(parsePowermetrics('powermetrics must be invoked as the superuser\n')).toEqual([]);
  });
});

it('is only there on macOS', async () => {
  const { signal } = new AbortController();
  const controls = { onReadings: () => {}, signal, intervalMs: 100 };
  expect(await powermetrics('linux').open(controls)).toBeNull();
});
