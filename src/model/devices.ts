import { freemem } from 'node:os';
import { type DevicesOptions, devicesSchema } from '../config/devices.js';
import { parseConfig } from '../config/parse.js';
import { native, ready, unusableBackends } from '../contract/load.js';
import type { Device, ListedDevice } from '../contract/model.js';
import type { UnusableBackend } from '../contract/probe.js';
import { systemInfo } from './system-info.js';

/** A device and what it can do of a training step. */
export interface TrainingDevice extends Omit<ListedDevice, 'training'> {
  /**
   * Whether it runs every op of a training step by itself; null: an RPC server's device cannot be asked. A device that
   * does not still trains: the CPU runs the rest.
   */
  canTrain: boolean | null;
  /** What is missing, or why it is not known; null where nothing is. */
  reason: string | null;
  /** Ops of a step on F16 weights that it leaves to the CPU. */
  missingOps: string[];
  /** Types of weights whose products and gradients it runs; those of other types go to the CPU. */
  weightTypes: string[];
  otherWeightTypes: string[];
}

export interface DeviceList {
  /** Back ends that are loaded: 'CPU', 'CUDA', 'Vulkan', 'RPC', … */
  backends: string[];
  devices: TrainingDevice[];
  /** Back ends that are there and were left out, because a process that loaded them did not survive it. */
  unusable: readonly UnusableBackend[];
}

/**
 * What this machine, and RPC servers where asked for, offer for training: back ends, devices, memory, and what each device
 * supports, found by asking it about the graph of a small training step.
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

/** ggml says of the CPU what there is in all. */
function memoryFree({ type, memoryFree: free }: Device): number {
  return type === 'cpu' ? Math.min(free, process.availableMemory?.() ?? freemem()) : free;
}

function describe({ training, ...listed }: ListedDevice): TrainingDevice {
  const device = { ...listed, memoryFree: memoryFree(listed) };
  if (training === null) {
    const reason = 'an RPC server does not tell what its device supports';
    const none = { missingOps: [], weightTypes: [], otherWeightTypes: [] };
    return { ...device, canTrain: null, reason, ...none };
  }
  const { missing, weightTypes, otherWeightTypes } = training;
  const canTrain = missing.length === 0;
  return {
    ...device,
    canTrain,
    reason: canTrain ? null : `it does not run ${missing.join(', ')}; the CPU does`,
    missingOps: missing,
    weightTypes,
    otherWeightTypes,
  };
}
