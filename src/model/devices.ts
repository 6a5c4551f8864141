import { freemem } from 'node:os';
import { type DevicesOptions, devicesSchema } from '../config/devices.js';
import { parseConfig } from '../config/parse.js';
import { native, ready, unusableBackends } from '../contract/load.js';
import type { Device, ListedDevice } from '../contract/model.js';
import type { UnusableBackend } from '../contract/probe.js';
import { systemInfo } from './system-info.js';

/** A device and its support for training. */
export interface TrainingDevice extends Omit<ListedDevice, 'training'> {
  /**
   * Whether the device runs every op of the forward and backward pass. If false, the device still trains and the CPU
   * runs the missing ops. null for the device of an RPC server, which cannot be asked.
   */
  canTrain: boolean | null;
  /** Why `canTrain` is not true; null if it is. */
  reason: string | null;
  /** Ops of the forward and backward pass on F16 weights that the CPU runs instead. */
  missingOps: string[];
  /** Weight types that the device multiplies and differentiates itself. */
  weightTypes: string[];
  /** Weight types that the CPU handles instead. */
  otherWeightTypes: string[];
  /** Values of `optimizer.type` whose updates the device runs. */
  optimizers: string[];
  /** Values of `optimizer.type` whose updates the CPU runs instead. */
  otherOptimizers: string[];
}

/** The result of devices(). */
export interface DeviceList {
  /** Loaded back ends: 'CPU', 'CUDA', 'Vulkan', 'RPC', … */
  backends: string[];
  devices: TrainingDevice[];
  /** Back ends that are installed but were not loaded, because loading one crashed a child process. */
  unusable: readonly UnusableBackend[];
}

/**
 * Lists the devices of this machine, and of the given RPC servers, with their memory and training support. Support is
 * found by asking each device about the graph of a small training step and the update of each optimizer.
 *
 * @throws LlamatuneError CONFIG_INVALID, RPC_UNREACHABLE, ADDON_NOT_FOUND.
 *
 * @example
 * for (const { name, memoryFree, canTrain } of (await devices()).devices) console.log(name, memoryFree, canTrain);
 */
export async function devices(options: DevicesOptions = {}): Promise<DeviceList> {
  const { rpc } = parseConfig(devicesSchema, options, 'devices options');
  await ready();
  const found = await native((addon) => addon.listDevices({ rpc }));
  return {
    backends: systemInfo().backends,
    devices: found.map(describe),
    unusable: unusableBackends(),
  };
}

/** ggml reports the total memory of the machine as free memory of the CPU. */
function memoryFree({ type, memoryFree: free }: Device): number {
  return type === 'cpu' ? Math.min(free, process.availableMemory?.() ?? freemem()) : free;
}

function describe({ training, ...listed }: ListedDevice): TrainingDevice {
  const device = { ...listed, memoryFree: memoryFree(listed) };
  if (training === null) {
    const reason = 'an RPC server does not report which ops its device supports';
    const none = { weightTypes: [], otherWeightTypes: [], optimizers: [], otherOptimizers: [] };
    return { ...device, canTrain: null, reason, missingOps: [], ...none };
  }
  const { missing, ...supported } = training;
  const canTrain = missing.length === 0;
  return {
    ...device,
    canTrain,
    reason: canTrain
      ? null
      : `the CPU runs ${missing.join(', ')}, which this device does not support`,
    missingOps: missing,
    ...supported,
  };
}
