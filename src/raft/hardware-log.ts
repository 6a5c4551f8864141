import { addReadings, startHardwareFile } from '../bench/suite/hardware-file.js';
import { powerOfTrial } from '../bench/suite/trial-hardware.js';
import type { TimeSpan } from '../hardware/power.js';
import { deviceKey, now, type Reading } from '../hardware/reading.js';
import type { HardwareSampler } from '../hardware/sampler.js';
import { systemInfo } from '../model/system-info.js';

/** Time, energy and memory that a stage used; null where the machine does not report it. */
export interface HardwareUse {
  seconds: number;
  /** Energy of the devices that compute. */
  energyWh: number | null;
  averagePowerW: number | null;
  /** The most memory of all GPUs together that was in use, by any program. */
  gpuMemoryBytes: number | null;
}

/** Options that place the model, which decide which devices' power counts. */
export interface Placed {
  device: string;
  options: Record<string, unknown>;
}

/** How often readings are written, so that a kill loses few of them. */
const WRITE_MS = 5000;

/** Runs a stage, and appends the readings of the machine's sensors during it to a CSV file. */
export async function withReadings<T>(
  { path, stage, sampler }: { path: string; stage: string; sampler: HardwareSampler },
  placed: Placed,
  work: () => Promise<T>,
): Promise<{ result: T; use: HardwareUse }> {
  await startHardwareFile(path, 'stage', () => true);
  sampler.take(); // drops the readings before the stage
  const readings: Reading[] = [];
  const span = { from: now(), to: Number.POSITIVE_INFINITY };
  let written = 0;
  let writing: Promise<void> = Promise.resolve();
  const write = () => {
    readings.push(...sampler.take());
    const [upTo, before] = [readings.length, written];
    written = upTo;
    writing = writing.then(() => addReadings(path, stage, readings.slice(0, upTo), span, before));
    writing.catch(() => {}); // thrown below
  };
  const timer = setInterval(write, WRITE_MS);
  try {
    const result = await work();
    write();
    return { result, use: useOf(readings, { ...span, to: now() }, placed) };
  } finally {
    clearInterval(timer);
    write();
    await writing;
  }
}

function useOf(readings: readonly Reading[], span: TimeSpan, placed: Placed): HardwareUse {
  const measured = { ...span, tokens: 0 };
  const { measures } = powerOfTrial(placed, readings, measured, systemInfo().devices);
  return {
    seconds: (span.to - span.from) / 1000,
    energyWh: measures.energy?.median ?? null,
    averagePowerW: measures.averagePower?.median ?? null,
    gpuMemoryBytes: peakGpuMemory(readings),
  };
}

/** Devices are read one after the other, so the peak is that of the sum of their latest readings. */
function peakGpuMemory(readings: readonly Reading[]): number | null {
  const latest = new Map<string, number>();
  let peak: number | null = null;
  for (const each of readings) {
    if (each.scope !== 'gpu' || each.memoryUsed === null) continue;
    latest.set(deviceKey(each), each.memoryUsed);
    const total = [...latest.values()].reduce((sum, bytes) => sum + bytes, 0);
    peak = Math.max(peak ?? 0, total);
  }
  return peak;
}
