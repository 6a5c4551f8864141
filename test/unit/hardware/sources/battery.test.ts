import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Systeminformation } from 'systeminformation';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { battery, openOther } from '../../../../src/hardware/sources/battery.js';
import { recorder } from '../recorder.js';

describe('a battery on Linux', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'power-supply-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function supply(name: string, files: Record<string, string>): void {
    mkdirSync(join(root, name));
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(join(root, name, file), `${text}\n`);
    }
  }

  async function firstReadings() {
    const controls = recorder();
    const opened = await battery('linux', root).open(controls);
    controls.stop();
    return opened === null ? null : controls.readings;
  }

  it('is not there without a battery', async () => {
    supply('AC', { type: 'Mains', online: '1' });
    expect(await firstReadings()).toBeNull();
  });

  it('reads the power, or current and voltage', async () => {
    supply('AC', { type: 'Mains', online: '0' });
    supply('BAT0', { type: 'Battery', status: 'Discharging', power_now: '18250000' });
    supply('BAT1', {
      type: 'Battery',
      status: 'Discharging',
      current_now: '1500000',
      voltage_now: '12000000',
    });
    expect(await firstReadings()).toMatchObject([{ scope: 'machine', power: 18.25 + 18 }]);
  });

  it.each(['Charging', 'Full', 'Not charging', 'Unknown'])(
    'reads nothing if %s',
    async (status) => {
      supply('BAT0', { type: 'Battery', status, power_now: '18250000' });
      expect(await firstReadings()).toMatchObject([{ power: null }]);
    },
  );
});

describe('a battery on macOS or Windows', () => {
  const state = (mWh: number, voltage = 12, acConnected = false) =>
    ({
      hasBattery: true,
      capacityUnit: 'mWh',
      currentCapacity: mWh,
      voltage,
      acConnected,
      isCharging: false,
    }) as Systeminformation.BatteryData;

  /** The energy of the readings that a battery with these states gives. */
  async function energies(states: Systeminformation.BatteryData[]) {
    let current = states[0]!;
    const read = (await openOther(async () => current))!;
    const found = [];
    for (current of states) found.push(...(await read()).map(({ energy }) => energy));
    return found;
  }

  it('is not there without a battery', async () => {
    expect(await openOther(async () => ({ ...state(1), hasBattery: false }))).toBeNull();
  });

  it('reads only changes, because the time of the first state is not known', async () => {
    const states = [50_000, 50_000, 49_900, 49_900, 49_800, 49_600].map((mWh) => state(mWh));
    const [first, ...others] = await energies(states);
    expect(first).toBe(0);
    expect(others.map((wh) => Number(wh!.toFixed(6)))).toEqual([0.1, 0.3]);
  });

  it('takes a lower voltage under load for no loss of charge', async () => {
    expect(await energies([state(48_000, 12), state(44_000, 11)])).toEqual([]);
  });

  it('does not bridge the time on a power supply', async () => {
    const states = [50_000, 49_900, 49_800].map((mWh) => state(mWh));
    const later = [60_000, 59_900, 59_700].map((mWh) => state(mWh));
    const found = await energies([...states, state(60_000, 12, true), ...later]);
    expect(found.map((wh) => wh && Number(wh.toFixed(6)))).toEqual([0, 0.1, null, 0.1, 0.3]);
  });
});
