import { describe, expect, it } from 'vitest';
import { csvLine, READING_COLUMNS, readingCells } from '../../../src/hardware/csv.js';
import { reading } from '../../../src/hardware/reading.js';

describe('readingCells', () => {
  const time = Date.parse('2026-11-28T12:00:00.250Z');
  const gpu = { source: 'nvidia-smi', device: 'GPU 0', scope: 'gpu' as const };

  it('has a cell for every column, empty for what was not reported', () => {
    const readings = [
      reading({ ...gpu, time, power: 70.84, temperature: 36, utilization: 0.08, memoryUsed: 26e8 }),
    ];
    const [cells] = readingCells(readings, { from: time, to: time + 1 });
    expect(Object.fromEntries(READING_COLUMNS.map((name, i) => [name, cells![i]]))).toEqual({
      time: '2026-11-28T12:00:00.250Z',
      part: 'measured',
      source: 'nvidia-smi',
      device: 'GPU 0',
      scope: 'gpu',
      power_w: '70.84',
      temperature_c: '36',
      utilization_percent: '8',
      memory_used_bytes: '2600000000',
      memory_total_bytes: '',
    });
    expect(readingCells(readings, { from: time + 1, to: time + 2 })[0]![1]).toBe('other');
    expect(readingCells(readings, null)[0]![1]).toBe('other');
  });

  it('has the average power between two readings of a counter', () => {
    const cpu = { source: 'rapl', device: 'CPU package 0', scope: 'cpu' as const };
    const readings = [
      reading({ ...cpu, time, energy: 1 }),
      reading({ ...gpu, time, power: 5 }),
      reading({ ...cpu, time: time + 500, energy: 1.01 }),
    ];
    expect(readingCells(readings, null).map((cells) => cells[5])).toEqual(['', '5', '72']);
  });
});

describe('csvLine', () => {
  it('quotes what would break the line', () => {
    expect(csvLine(['a', 'b, c', 'say "d"', ''])).toBe('a,"b, c","say ""d""",\n');
  });
});
