import type { Machine, SuiteResults } from '../bench/suite/results.js';

/** Instruction sets that tell CPUs of one name apart, the best first. */
const BEST_FIRST = [
  ['amx_bf16', 'amx'],
  ['avx512_bf16', 'avx512-bf16'],
  ['avx512f', 'avx512'],
  ['avx2', 'avx2'],
  ['sme', 'sme'],
  ['sve2', 'sve2'],
  ['sve', 'sve'],
  ['i8mm', 'i8mm'],
  ['asimddp', 'dotprod'],
] as const;

/** Words of CPU and GPU names that say nothing. */
const NOISE =
  /\(r\)|\(tm\)|[®™©]|\bprocessor\b|\bcpu\b|@.*$|\bwith .*$|\b\d+-core\b|\(radv[^)]*\)|\(llvm[^)]*\)/gi;

const slug = (text: string): string =>
  text
    .replaceAll(NOISE, ' ')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');

/**
 * A name for the hardware that results were measured on, e.g. 'nvidia-geforce-rtx-4090' or 'intel-xeon-2cores-amx': the same
 * for every machine of the kind. Variables that limit the hardware are part of it.
 */
export function hardwareName({
  machine,
  trials,
}: Pick<SuiteResults, 'machine' | 'trials'>): string {
  const usesGpu =
    machine.devices.length > 0 && trials.some(({ spec }) => spec.device.toLowerCase() !== 'cpu');
  const limits = Object.entries(machine.environment).map((entry) => slug(entry.join(' ')));
  return [usesGpu ? gpuName(machine) : cpuName(machine), ...limits].join('-');
}

const gpuName = ({ devices }: Machine): string =>
  [...new Set(devices.map(({ description }) => slug(description)))].join('-');

function cpuName({ cpu, cores, instructionSets }: Machine): string {
  const best = BEST_FIRST.find(([flag]) => instructionSets.includes(flag));
  return [slug(cpu), `${cores}cores`, ...(best === undefined ? [] : [best[1]])].join('-');
}
