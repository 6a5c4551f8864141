import { cpus, totalmem } from 'node:os';
import { cpu, osInfo } from 'systeminformation';
import type { Device } from '../../contract/model.js';
import { systemInfo } from '../../model/system-info.js';
import type { Machine } from './results.js';

const isGpu = ({ type }: Device): boolean => type === 'gpu' || type === 'igpu';

/** The properties of this machine that affect a measurement. Names of the machine and its users are left out. */
export async function describeMachine(): Promise<Machine> {
  const [processor, system] = await Promise.all([cpu(), osInfo()]);
  const { physicalCores, devices } = systemInfo();
  const name = [processor.manufacturer, processor.brand].filter(Boolean).join(' ');
  return {
    cpu: name || cpus()[0]?.model.trim() || 'unknown',
    cores: physicalCores,
    memoryBytes: totalmem(),
    platform: `${process.platform}-${process.arch}`,
    os: [system.distro, system.release, `kernel ${system.kernel}`].filter(Boolean).join(', '),
    // the CPU is described above
    devices: devices.filter(isGpu).map(({ name, description, memoryTotal }) => ({
      name,
      description,
      memoryBytes: memoryTotal,
    })),
  };
}
