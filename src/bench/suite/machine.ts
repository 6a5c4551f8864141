import { cpus, totalmem } from 'node:os';
import type { Systeminformation } from 'systeminformation';
import type { Device } from '../../contract/model.js';
import { systemInfo } from '../../model/system-info.js';
import type { Machine } from './results.js';

const isGpu = ({ type }: Device): boolean => type === 'gpu' || type === 'igpu';

/** The properties of this machine that affect a measurement. Names of the machine and its users are left out. */
export async function describeMachine(): Promise<Machine> {
  const { cpu, graphics, osInfo } = await import('systeminformation');
  const [processor, system, { controllers }] = await Promise.all([cpu(), osInfo(), graphics()]);
  const { physicalCores, devices } = systemInfo();
  const name = [processor.manufacturer, processor.brand].filter(Boolean).join(' ');
  return {
    cpu: name || cpus()[0]?.model.trim() || 'unknown',
    cores: physicalCores,
    memoryBytes: totalmem(),
    platform: `${process.platform}-${process.arch}`,
    os: [system.distro, system.release, `kernel ${system.kernel}`].filter(Boolean).join(', '),
    instructionSets: instructionSets(processor.flags),
    environment: environmentOfRuns(process.env),
    // the CPU is described above
    devices: devices.filter(isGpu).map(({ name, description, memoryTotal }) => ({
      name,
      description,
      memoryBytes: memoryTotal,
      driver: driverOf(description, controllers),
    })),
  };
}

/** Flags of a CPU, as Linux names them, for instructions that matrix products use. */
const MATRIX_FLAGS =
  /^(avx2|f16c|fma|avx512f|avx512_bf16|avx512_fp16|avx512_vnni|avx_vnni|amx_bf16|amx_int8|amx_fp16|asimd|asimddp|asimdhp|bf16|i8mm|sve|sve2|sme|sme2)$/;

/** The instruction sets in the flags of a CPU; none where the system does not list flags. */
export const instructionSets = (flags: string): string[] =>
  flags
    .toLowerCase()
    .split(/\s+/)
    .filter((flag) => MATRIX_FLAGS.test(flag))
    .sort();

/** Variables of libraries that change which devices and kernels run. */
const OF_RUNS =
  /^((ONEDNN|DNNL|GGML|OMP)_|(CUDA|HIP|ROCR)_VISIBLE_DEVICES$)|^LLAMATUNE_CPU_ACCELERATOR$/;

/** The environment variables that change what is measured. */
export function environmentOfRuns(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const known = Object.entries(environment).filter(
    (entry): entry is [string, string] => OF_RUNS.test(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(known.sort(([a], [b]) => a.localeCompare(b)));
}

type Controller = Pick<
  Systeminformation.GraphicsControllerData,
  'model' | 'name' | 'driverVersion'
>;

/** The driver version of the graphics card with this description, if the system reports one. */
export function driverOf(description: string, controllers: readonly Controller[]): string | null {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const wanted = plain(description);
  const found = controllers.find(({ model, name }) =>
    [model, name ?? '']
      .map(plain)
      .some((own) => own !== '' && (own.includes(wanted) || wanted.includes(own))),
  );
  return found?.driverVersion || null;
}
