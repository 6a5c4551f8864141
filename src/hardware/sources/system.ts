import { cpus, freemem, totalmem } from 'node:os';
import { now, reading } from '../reading.js';
import { type HardwareSource, polledSource } from '../source.js';

/** Reading a temperature starts processes on some systems, which would disturb a measurement. */
const TEMPERATURE_INTERVAL_MS = 5000;

/** Temperature and utilization of the CPU, and the memory of the machine. */
export const system = (): HardwareSource =>
  polledSource('system', async () => {
    const temperature = slowly(readTemperature, TEMPERATURE_INTERVAL_MS);
    let last = cpuTimes();
    return async () => {
      const times = cpuTimes();
      const total = times.total - last.total;
      const utilization = total > 0 ? (times.busy - last.busy) / total : null;
      last = times;
      return [
        reading({
          source: 'system',
          device: 'CPU',
          scope: 'cpu',
          temperature: await temperature(),
          utilization,
          memoryUsed: totalmem() - freemem(),
          memoryTotal: totalmem(),
        }),
      ];
    };
  });

/** Milliseconds since the machine started, over all cores. */
function cpuTimes(): { busy: number; total: number } {
  let [busy, idle] = [0, 0];
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { busy, total: busy + idle };
}

/** Windows tells the temperature only to administrators. */
async function readTemperature(): Promise<number | null> {
  if (process.platform === 'win32') return null;
  const { cpuTemperature } = await import('systeminformation');
  const { main } = await cpuTemperature();
  return typeof main === 'number' && main > 0 ? main : null;
}

/** The value of `read`, which is called again only after `intervalMs`. */
function slowly<T>(read: () => Promise<T>, intervalMs: number): () => Promise<T> {
  let value: Promise<T> | undefined;
  let readAt = 0;
  return () => {
    if (value === undefined || now() - readAt > intervalMs) {
      value = read();
      readAt = now();
    }
    return value;
  };
}
