import type { Device } from '../../contract/model.js';
import { type DevicePower, type PowerUse, powerOf, totalPower } from '../../hardware/power.js';
import type { Reading } from '../../hardware/reading.js';
import { nestedOptions } from './options.js';
import type { Hardware, Measure, TrialSpec } from './results.js';
import { type Measurement, measureOf, present } from './trial.js';

/** What decides which devices compute. */
type Placed = Pick<TrialSpec, 'device' | 'options'>;

/** Power of the devices of a trial, and the measures of the trial that follow from it. */
export function powerOfTrial(
  spec: Placed,
  readings: readonly Reading[],
  measured: Measurement['measured'],
  devices: readonly Pick<Device, 'type'>[],
): { power: Hardware['power']; measures: Record<string, Measure> } {
  if (measured === null) return { power: [], measures: {} };
  const found = powerOf(readings, measured);
  const counted = countedDevices(found, spec, devices);
  const use = totalPower(readings, measured, counted);
  const isCounted = (each: DevicePower): boolean => use !== null && counted.includes(each);
  return {
    power: found.map((each) => ({ ...each, counted: isCounted(each) })),
    measures: use === null ? {} : measuresOf(use, measured.tokens),
  };
}

function measuresOf({ average, peak, energy }: PowerUse, tokens: number): Record<string, Measure> {
  return present({
    averagePower: measureOf('W', [average]),
    peakPower: measureOf('W', [peak]),
    energy: measureOf('Wh', [energy]),
    tokensPerWh: measureOf('tokens/Wh', [energy > 0 ? tokens / energy : null]),
  });
}

/**
 * The devices whose power is that of the trial: CPU packages, memory and GPUs, or else the whole machine. None if the
 * device that computes is not measured: what the others use would say nothing about the trial.
 */
function countedDevices(
  found: readonly DevicePower[],
  spec: Placed,
  devices: readonly Pick<Device, 'type'>[],
): DevicePower[] {
  const options = nestedOptions(spec.options);
  const hasRemote = Array.isArray(options.rpc) && options.rpc.length > 0;
  if (hasRemote) return [];
  const gpus = devices.filter(({ type }) => type === 'gpu' || type === 'igpu');
  const isIntegrated = gpus.length > 0 && gpus.every(({ type }) => type === 'igpu');
  const parts = found.filter(({ scope }) => scope !== 'machine');
  const withPackage = parts.some(({ source }) => source === 'rapl');
  // the package includes an integrated GPU
  const counted =
    isIntegrated && withPackage ? parts.filter(({ scope }) => scope !== 'gpu') : parts;
  const onCpu = spec.device === 'cpu' || options.gpuLayers === 0 || gpus.length === 0;
  const isMeasured = counted.some(
    ({ scope }) => scope === (onCpu ? 'cpu' : 'gpu') || (!onCpu && isIntegrated),
  );
  return isMeasured ? counted : found.filter(({ scope }) => scope === 'machine').slice(0, 1);
}
