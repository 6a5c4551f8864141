import type { TimeSpan } from './power.js';
import { deviceKey, type Reading } from './reading.js';

/** Columns of a file of readings; empty cells were not reported. */
export const READING_COLUMNS = [
  'time',
  'part',
  'source',
  'device',
  'scope',
  'power_w',
  'temperature_c',
  'utilization_percent',
  'memory_used_bytes',
  'memory_total_bytes',
] as const;

/**
 * Readings as cells of READING_COLUMNS. The power of a device with an energy counter is the average since its previous
 * reading.
 *
 * @param measured the time span whose readings are in the part 'measured'; null: none
 */
export function readingCells(readings: readonly Reading[], measured: TimeSpan | null): string[][] {
  const previous = new Map<string, Reading>();
  return readings.map((each) => {
    const key = deviceKey(each);
    const power = each.power ?? averagePower(previous.get(key), each);
    previous.set(key, each);
    const isMeasured = measured !== null && each.time >= measured.from && each.time <= measured.to;
    const { source, device, scope, temperature, utilization, memoryUsed, memoryTotal } = each;
    return [
      new Date(each.time).toISOString(),
      isMeasured ? 'measured' : 'other',
      source,
      device,
      scope,
      cell(power),
      cell(temperature),
      cell(utilization === null ? null : 100 * utilization),
      cell(memoryUsed),
      cell(memoryTotal),
    ];
  });
}

function averagePower(before: Reading | undefined, { time, energy }: Reading): number | null {
  if (before === undefined || before.energy === null || energy === null) return null;
  const hours = (time - before.time) / 3_600_000;
  return hours > 0 ? (energy - before.energy) / hours : null;
}

const cell = (value: number | null): string =>
  value === null ? '' : String(Number(value.toFixed(3)));

/** A line of a CSV file (RFC 4180). */
export const csvLine = (cells: readonly string[]): string =>
  `${cells.map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(',')}\n`;
