import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Reading, reading } from '../reading.js';
import { type HardwareSource, polledSource } from '../source.js';

const NAME = 'rapl';
const MICROJOULES_PER_WH = 3600e6;

/** An energy counter of a part of the processor. */
interface Zone {
  file: string;
  device: string;
  scope: Reading['scope'];
  /** The counter starts again at 0 after this value. */
  maxMicrojoules: number;
  last: bigint;
  /** Since the source was opened. */
  microjoules: number;
}

/**
 * The energy counters of Intel's and AMD's processors: whole packages, their memory, and the platform where the processor
 * reports it. Parts of a package (cores, integrated graphics) are left out, because the package includes them.
 *
 * @param root the folder of the Linux power capping framework
 */
export const rapl = (root = '/sys/class/powercap'): HardwareSource =>
  polledSource(NAME, async () => {
    const zones = await findZones(root);
    return zones.length === 0 ? null : async () => Promise.all(zones.map(readZone));
  });

async function findZones(root: string): Promise<Zone[]> {
  const names = await readdir(root).catch(() => []);
  // intel-rapl-mmio:0 has the same counter as intel-rapl:0
  const folders = names.filter((name) => /^intel-rapl(:\d+)+$/.test(name)).sort();
  const zones = await Promise.all(folders.map((folder) => openZone(root, folder)));
  return zones.filter((zone) => zone !== null);
}

async function openZone(root: string, folder: string): Promise<Zone | null> {
  const name = await readText(join(root, folder, 'name'));
  const known = describeZone(name, folder);
  if (known === null) return null;
  const file = join(root, folder, 'energy_uj');
  try {
    const last = BigInt(await readText(file));
    const range = Number(await readText(join(root, folder, 'max_energy_range_uj')));
    return { ...known, file, last, maxMicrojoules: range, microjoules: 0 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    throw new Error(`${file} can only be read by root`);
  }
}

function describeZone(name: string, folder: string): Pick<Zone, 'device' | 'scope'> | null {
  // 'intel-rapl:1:0' is a part of package 1
  const socket = folder.split(':')[1];
  if (name.startsWith('package')) return { device: `CPU package ${socket}`, scope: 'cpu' };
  if (name === 'dram') return { device: `memory of CPU package ${socket}`, scope: 'memory' };
  return name === 'psys' ? { device: 'platform', scope: 'machine' } : null;
}

async function readZone(zone: Zone): Promise<Reading> {
  const value = BigInt(await readText(zone.file));
  const { device, scope } = zone;
  zone.microjoules += counterDifference(zone.last, value, zone.maxMicrojoules);
  zone.last = value;
  return reading({ source: NAME, device, scope, energy: zone.microjoules / MICROJOULES_PER_WH });
}

/** What a counter counted between two readings; it starts again at 0 after `max`. */
function counterDifference(before: bigint, after: bigint, max: number): number {
  const difference = Number(after - before);
  return difference < 0 ? difference + max : difference;
}

const readText = async (path: string): Promise<string> => (await readFile(path, 'utf8')).trim();
