import { runTool } from '../command.js';
import { type Reading, reading } from '../reading.js';
import { type HardwareSource, polledSource } from '../source.js';

const NAME = 'powermetrics';
/** The tool averages over this time. */
const WINDOW_MS = 1000;
/** It measures without sudo only for root, and with sudo only where that needs no password. */
const COMMAND = ['-n', NAME, '--samplers', 'cpu_power,gpu_power', '-n', '1', '-i', `${WINDOW_MS}`];

/** The power of Apple's chips and of Intel's in Macs. Each reading is a process that ends by itself. */
export const powermetrics = (platform: NodeJS.Platform = process.platform): HardwareSource =>
  polledSource(NAME, async () => {
    if (platform !== 'darwin') return null;
    return async (signal) => {
      const output = await runTool('sudo', COMMAND, signal).catch(() => {
        throw new Error('powermetrics needs root, or sudo without a password');
      });
      const readings = parsePowermetrics(output ?? '');
      if (readings.length === 0) throw new Error('powermetrics reported no power');
      return readings;
    };
  });

const LINES = [
  ['CPU', 'cpu', /^CPU Power: +([\d.]+) *(m?W)/m],
  ['GPU', 'gpu', /^GPU Power: +([\d.]+) *(m?W)/m],
  ['Neural Engine', 'gpu', /^ANE Power: +([\d.]+) *(m?W)/m],
  ['CPU package', 'cpu', /^Intel energy model derived package power \([^)]*\): +([\d.]+) *(m?W)/m],
] as const;

/** The text output: 'CPU Power: 823 mW', 'GPU Power: 26 mW', … */
export function parsePowermetrics(output: string): Reading[] {
  return LINES.flatMap(([device, scope, pattern]) => {
    const found = pattern.exec(output);
    if (found === null) return [];
    const power = Number(found[1]) / (found[2] === 'mW' ? 1000 : 1);
    const utilization = device === 'GPU' ? gpuUtilization(output) : null;
    return reading({ source: NAME, device, scope, power, utilization });
  });
}

/** 'GPU HW active residency:  12.50% (444 MHz: …)' */
function gpuUtilization(output: string): number | null {
  const found = /^GPU (?:HW )?active residency: +([\d.]+)%/m.exec(output);
  return found === null ? null : Number(found[1]) / 100;
}
