import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Systeminformation } from 'systeminformation';
import { type Reading, reading } from '../reading.js';
import { type HardwareSource, polledSource } from '../source.js';

const NAME = 'battery';
const DEVICE = { source: NAME, device: 'battery', scope: 'machine' } as const;
/** Batteries report a new value every few seconds. */
const SLOWEST_MS = 2000;

/** The battery of a machine that runs on it. Nothing is reported while it is connected to a power supply. */
export const battery = (
  platform: NodeJS.Platform = process.platform,
  root = '/sys/class/power_supply',
): HardwareSource =>
  polledSource(
    NAME,
    () => (platform === 'linux' ? openLinux(root) : openOther(batteryOfSystem)),
    SLOWEST_MS,
  );

const batteryOfSystem = async () => (await import('systeminformation')).battery();

/** Linux reports the power itself. */
async function openLinux(root: string) {
  const names = await readdir(root).catch(() => []);
  const supplies = names.map((name) => join(root, name));
  const types = await Promise.all(supplies.map((path) => readText(path, 'type')));
  const batteries = supplies.filter((_, i) => types[i] === 'Battery');
  if (batteries.length === 0) return null;
  return async (): Promise<Reading[]> => {
    const powers = await Promise.all(batteries.map(dischargeOf));
    const known = powers.filter((power) => power !== null);
    const power = known.length === 0 ? null : known.reduce((total, each) => total + each, 0);
    return [reading({ ...DEVICE, power })];
  };
}

/** W; null if the battery is not discharging, or does not say how much. */
async function dischargeOf(path: string): Promise<number | null> {
  if ((await readText(path, 'status')) !== 'Discharging') return null;
  const power = await readNumber(path, 'power_now');
  if (power !== null) return power / 1e6;
  const [current, voltage] = await Promise.all([
    readNumber(path, 'current_now'),
    readNumber(path, 'voltage_now'),
  ]);
  return current === null || voltage === null ? null : Math.abs(current / 1e6) * (voltage / 1e6);
}

async function readNumber(path: string, name: string): Promise<number | null> {
  const text = await readText(path, name);
  return text === null ? null : Number(text);
}

const readText = async (path: string, name: string): Promise<string | null> =>
  (await readFile(join(path, name), 'utf8').catch(() => null))?.trim() ?? null;

/**
 * macOS and Windows report the charge, which changes in steps. Only changes are readings: the energy between two of them is
 * exact, however long ago they were.
 */
export async function openOther(read: () => Promise<Systeminformation.BatteryData>) {
  const { hasBattery, voltage, capacityUnit } = await read();
  if (!hasBattery || capacityUnit !== 'mWh' || !(voltage > 0)) return null;
  let last: { charge: number; isChange: boolean } | null = null;
  let energy = 0;
  return async (): Promise<Reading[]> => {
    const { acConnected, isCharging, currentCapacity, voltage: volts } = await read();
    if (acConnected || isCharging) {
      last = null;
      return [reading(DEVICE)];
    }
    // macOS reports a charge times the voltage of the moment: the voltage changes with the load, the charge does not
    const charge = currentCapacity / volts;
    if (last === null || charge >= last.charge) {
      last ??= { charge, isChange: false };
      return [];
    }
    if (last.isChange) energy += ((last.charge - charge) * volts) / 1000;
    last = { charge, isChange: true };
    return [reading({ ...DEVICE, energy })];
  };
}
