import { describe, expect, it } from 'vitest';
import { powerOf, totalPower } from '../../../src/hardware/power.js';
import { type Reading, reading } from '../../../src/hardware/reading.js';

const seconds = (count: number) => 1000 * count;
const SPAN = { from: seconds(10), to: seconds(46) };

/** Readings of a power sensor: [seconds, W]. */
const sensor = (values: [number, number | null][], device = 'GPU 0'): Reading[] =>
  values.map(([at, power]) =>
    reading({ source: 'nvidia-smi', device, scope: 'gpu', time: seconds(at), power }),
  );

/** Readings of an energy counter: [seconds, Wh]. */
const counter = (values: [number, number][]): Reading[] =>
  values.map(([at, energy]) =>
    reading({ source: 'rapl', device: 'CPU package 0', scope: 'cpu', time: seconds(at), energy }),
  );

/** Every second, with the same power. */
const constant = (power: number, from: number, to: number, device?: string) =>
  sensor(
    Array.from({ length: to - from + 1 }, (_, i) => [from + i, power]),
    device,
  );

describe('powerOf', () => {
  it('integrates power by the trapezoidal rule, within the time span only', () => {
    // a ramp of 10 W per second
    const ramp = sensor(Array.from({ length: 61 }, (_, i) => [i, 10 * i]));
    const [use] = powerOf(ramp, { from: seconds(10.5), to: seconds(20.5) });
    expect(use).toMatchObject({ source: 'nvidia-smi', device: 'GPU 0', scope: 'gpu', coverage: 1 });
    expect(use!.average).toBeCloseTo(155, 9);
    expect(use!.peak).toBeCloseTo(205, 9);
    expect(use!.energy).toBeCloseTo((155 * 10) / 3600, 9);
  });

  it('takes the energy of a counter, however far apart its readings are', () => {
    const [use] = powerOf(
      counter([
        [0, 7],
        [12, 7.4],
        [24, 7.8],
        [30, 8],
        [45, 9],
        [60, 10],
      ]),
      SPAN,
    );
    // 120 W for 20 s, then 240 W for 16 s
    expect(use!.energy).toBeCloseTo((120 * 20 + 240 * 16) / 3600, 9);
    expect(use!.peak).toBeCloseTo(240, 9);
    expect(use!.coverage).toBe(1);
  });

  it('says what part of the time the readings cover', () => {
    const [use] = powerOf(constant(100, 0, 28), SPAN);
    expect(use).toMatchObject({ coverage: 0.5, average: 100 });
    // the other half is taken to have had the average power
    expect(use!.energy).toBeCloseTo(1, 9);
  });

  it('knows nothing about the time between readings that are far apart, or missing', () => {
    const far = sensor([
      [10, 100],
      [21, 100],
      [32, 100],
      [46, 100],
    ]);
    expect(powerOf(far, SPAN)).toEqual([]);
    const missing = sensor([
      [10, 100],
      [19, 100],
      [22, null],
      [28, 100],
      [37, 100],
    ]);
    expect(powerOf(missing, SPAN)[0]!.coverage).toBeCloseTo(18 / 36, 9);
  });

  it('does not judge a span by the time around it', () => {
    const readings = constant(100, 0, 60);
    expect(powerOf(readings, { from: seconds(10.5), to: seconds(13.5) })).toEqual([]);
    expect(powerOf(readings, { from: seconds(10.5), to: seconds(14.5) })).toHaveLength(1);
  });

  it('finds no power of a device that reports none', () => {
    expect(powerOf(sensor([[12, null]]), SPAN)).toEqual([]);
    expect(powerOf([], SPAN)).toEqual([]);
  });
});

describe('totalPower', () => {
  it('adds devices, and takes the peak of their sum', () => {
    const first = sensor([
      [10, 300],
      [19, 300],
      [20, 100],
      [28, 100],
      [37, 100],
      [46, 100],
    ]);
    const second = sensor(
      [
        [10, 50],
        [19, 50],
        [28, 200],
        [37, 200],
        [46, 200],
      ],
      'GPU 1',
    );
    const readings = [...first, ...second].sort((a, b) => a.time - b.time);
    const devices = powerOf(readings, SPAN);
    expect(devices.map(({ peak }) => peak)).toEqual([300, 200]);
    const total = totalPower(readings, SPAN, devices)!;
    expect(total.average).toBeCloseTo(devices[0]!.average + devices[1]!.average, 9);
    expect(total.peak).toBe(350);
    expect(totalPower(readings, SPAN, devices.slice(0, 1))!.peak).toBe(300);
  });

  it('is not known if a device was not measured for long', () => {
    const readings = [...constant(100, 0, 60), ...constant(50, 0, 40, 'GPU 1')];
    const devices = powerOf(readings, SPAN);
    expect(totalPower(readings, SPAN, devices)).toBeNull();
    expect(totalPower(readings, SPAN, devices.slice(0, 1))).toMatchObject({ average: 100 });
    expect(totalPower(readings, SPAN, [])).toBeNull();
  });
});
