import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rapl } from '../../../../src/hardware/sources/rapl.js';
import { recorder, until } from '../recorder.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'powercap-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const MAX = 262_143_328_850;
const JOULES_PER_WH = 3600;

function zone(folder: string, name: string, microjoules: number): (microjoules: number) => void {
  mkdirSync(join(root, folder));
  writeFileSync(join(root, folder, 'name'), `${name}\n`);
  writeFileSync(join(root, folder, 'max_energy_range_uj'), `${MAX}\n`);
  const set = (value: number) => writeFileSync(join(root, folder, 'energy_uj'), `${value}\n`);
  set(microjoules);
  return set;
}

describe('rapl', () => {
  it('is not there without the power capping framework', async () => {
    expect(await rapl(join(root, 'none')).open(recorder())).toBeNull();
    expect(await rapl(root).open(recorder())).toBeNull();
  });

  it('reads packages and their memory, not what a package includes', async () => {
    zone('intel-rapl:0', 'package-0', 1000);
    zone('intel-rapl:0:0', 'core', 1000);
    zone('intel-rapl:0:1', 'uncore', 1000);
    zone('intel-rapl:0:2', 'dram', 1000);
    zone('intel-rapl:1', 'psys', 1000);
    zone('intel-rapl-mmio:0', 'package-0', 1000);
    const controls = recorder();
    await rapl(root).open(controls);
    expect(controls.readings).toMatchObject([
      { source: 'rapl', device: 'CPU package 0', scope: 'cpu', energy: 0, power: null },
      { device: 'memory of CPU package 0', scope: 'memory' },
      { device: 'platform', scope: 'machine' },
    ]);
    controls.stop();
  });

  it('continues when a counter wraps around', async () => {
    const set = zone('intel-rapl:0', 'package-0', MAX - 3_600_000);
    const controls = recorder();
    const opened = await rapl(root).open(controls);
    const energy = () => controls.readings.at(-1)!.energy! * JOULES_PER_WH;
    set(MAX - 1_600_000);
    await until(() => energy() > 0);
    expect(energy()).toBeCloseTo(2, 6);
    set(400_000);
    await until(() => energy() > 2.5);
    expect(energy()).toBeCloseTo(4, 6);
    controls.stop();
    await opened!.ended;
  });

  it('stops after the counters have disappeared', async () => {
    zone('intel-rapl:0', 'package-0', 0);
    const opened = await rapl(root).open(recorder());
    rmSync(join(root, 'intel-rapl:0'), { recursive: true });
    await opened!.ended;
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'says that only root can read the counters',
    async () => {
      zone('intel-rapl:0', 'package-0', 0);
      chmodSync(join(root, 'intel-rapl:0', 'energy_uj'), 0o000);
      await expect(rapl(root).open(recorder())).rejects.toThrow('can only be read by root');
    },
  );
});
