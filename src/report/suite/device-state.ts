import type { Hardware, TrialResult } from '../../bench/suite/results.js';
import { valueText } from './cells.js';
import { groupBy } from './names.js';

type DeviceState = Hardware['after'][number];

/** Temperature, utilization and memory of each device after some runs, e.g. ['GPU 0 afterwards', '34 to 36 °C, …']. */
export function stateFacts(runs: readonly TrialResult[]): (readonly [string, string])[] {
  const states = runs.flatMap(({ hardware }) => hardware?.after ?? []);
  return groupBy(states, ({ device }) => device).flatMap(([device, ofDevice]) => {
    const parts = [
      range(ofDevice, 'temperature', (value) => value.toFixed(0), ' °C'),
      range(ofDevice, 'utilization', (value) => (100 * value).toFixed(0), ' % utilization'),
      memoryOf(ofDevice),
    ].filter((part) => part !== null);
    return parts.length === 0 ? [] : [[`${device} afterwards`, parts.join(', ')] as const];
  });
}

/** '34 to 36 °C', '8 % utilization' */
function range(
  states: readonly DeviceState[],
  field: 'temperature' | 'utilization' | 'memoryUsed',
  text: (value: number) => string,
  unit: string,
): string | null {
  const values = states.flatMap((state) => state[field] ?? []);
  if (values.length === 0) return null;
  const ends = [Math.min(...values), Math.max(...values)].map(text);
  return `${[...new Set(ends)].join(' to ')}${unit}`;
}

function memoryOf(states: readonly DeviceState[]): string | null {
  const used = range(states, 'memoryUsed', (value) => valueText(value, 'bytes'), '');
  const total = states.find(({ memoryTotal }) => memoryTotal !== null)?.memoryTotal;
  if (used === null) return null;
  return typeof total === 'number'
    ? `${used} of ${valueText(total, 'bytes')} memory used`
    : `${used} memory used`;
}
