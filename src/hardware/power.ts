import { type DeviceState, deviceKey, type Reading } from './reading.js';

/** A time span, as now() gives the times. */
export interface TimeSpan {
  from: number;
  to: number;
}

/** Power over a time span. */
export interface PowerUse {
  /** W */
  average: number;
  /** The highest power that was read, W. */
  peak: number;
  /** Wh; where readings do not cover the whole span, the rest is taken to have had the average power. */
  energy: number;
  /** The part of the span that readings cover, from 0 to 1. */
  coverage: number;
}

export interface DevicePower extends Pick<DeviceState, 'source' | 'device' | 'scope'>, PowerUse {}

/** Nothing is known about the power between two readings that are further apart than this. Counters know the energy. */
const LONGEST_GAP_MS = 10_000;
/** With fewer readings within a span, its power is not known: most of what they say is about the time around it. */
const FEWEST_READINGS = 4;
/** With less, the energy of the span is not known. */
const LEAST_COVERAGE = 0.9;
const MS_PER_HOUR = 3_600_000;

/** Power that changes linearly between two readings. */
interface Segment extends TimeSpan {
  /** W */
  start: number;
  end: number;
}

/**
 * Power of each device over a time span, by the trapezoidal rule, or from the device's energy counter. Devices with fewer
 * than 4 readings in the span are left out.
 */
export function powerOf(readings: readonly Reading[], span: TimeSpan): DevicePower[] {
  return [...byDevice(readings)].flatMap((ofDevice) => {
    const { source, device, scope } = ofDevice[0]!;
    const within = ofDevice.filter(({ time }) => time >= span.from && time <= span.to);
    if (within.length < FEWEST_READINGS) return [];
    const use = useOf([segmentsOf(ofDevice)], span);
    return use === null ? [] : [{ source, device, scope, ...use }];
  });
}

/**
 * Power of several devices together. The peak is that of the sum.
 *
 * @returns null if the readings of one of the devices cover less than 90 % of the span
 */
export function totalPower(
  readings: readonly Reading[],
  span: TimeSpan,
  devices: readonly DevicePower[],
): PowerUse | null {
  const keys = new Set(devices.map(deviceKey));
  const counted = [...byDevice(readings)].filter(([first]) => keys.has(deviceKey(first!)));
  if (counted.length === 0 || devices.some(({ coverage }) => coverage < LEAST_COVERAGE))
    return null;
  return useOf(counted.map(segmentsOf), span);
}

function byDevice(readings: readonly Reading[]): Iterable<Reading[]> {
  const devices = new Map<string, Reading[]>();
  for (const each of readings) {
    const key = deviceKey(each);
    const found = devices.get(key);
    if (found === undefined) devices.set(key, [each]);
    else found.push(each);
  }
  return devices.values();
}

function segmentsOf(readings: readonly Reading[]): Segment[] {
  return readings.slice(1).flatMap((b, i): Segment[] => {
    const a = readings[i]!;
    const hours = (b.time - a.time) / MS_PER_HOUR;
    if (hours <= 0) return [];
    const span = { from: a.time, to: b.time };
    if (a.energy !== null && b.energy !== null) {
      const power = (b.energy - a.energy) / hours;
      return [{ ...span, start: power, end: power }];
    }
    const isGap = a.power === null || b.power === null || b.time - a.time > LONGEST_GAP_MS;
    return isGap ? [] : [{ ...span, start: a.power!, end: b.power! }];
  });
}

/** The sum of some devices; null if nothing is known about the span. */
function useOf(devices: readonly Segment[][], span: TimeSpan): PowerUse | null {
  const clipped = devices.map((segments) => segments.flatMap((segment) => clip(segment, span)));
  const covered = clipped.map((segments) => sum(segments.map(({ from, to }) => to - from)));
  if (covered.some((time) => time === 0)) return null;
  const averages = clipped.map(
    (segments, i) =>
      sum(segments.map(({ from, to, start, end }) => ((start + end) / 2) * (to - from))) /
      covered[i]!,
  );
  const average = sum(averages);
  const duration = span.to - span.from;
  return {
    average,
    peak: peakOf(clipped),
    energy: (average * duration) / MS_PER_HOUR,
    coverage: Math.min(...covered) / duration,
  };
}

function clip({ from, to, start, end }: Segment, span: TimeSpan): Segment[] {
  const clipped = { from: Math.max(from, span.from), to: Math.min(to, span.to) };
  if (clipped.from >= clipped.to) return [];
  const at = (time: number) => start + ((end - start) * (time - from)) / (to - from);
  return [{ ...clipped, start: at(clipped.from), end: at(clipped.to) }];
}

/** The highest sum at any moment at which a segment starts or ends. */
function peakOf(devices: readonly Segment[][]): number {
  const ends = devices.flatMap((segments) =>
    segments.flatMap(({ from, to, start, end }) => [
      { time: from, power: start },
      { time: to, power: end },
    ]),
  );
  const cursors = devices.map(() => 0);
  const times = [...new Set(ends.map(({ time }) => time))].sort((a, b) => a - b);
  let peak = 0;
  for (const time of times) {
    const powers = devices.map((segments, i) => {
      while (cursors[i]! < segments.length - 1 && segments[cursors[i]!]!.to <= time)
        cursors[i]! += 1;
      const { from, to, start, end } = segments[cursors[i]!]!;
      const within = Math.min(Math.max(time, from), to);
      return start + ((end - start) * (within - from)) / (to - from);
    });
    peak = Math.max(peak, sum(powers));
  }
  return peak;
}

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
