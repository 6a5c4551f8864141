import { freemem } from 'node:os';
import { nativeRun } from '../contract/load.js';
import type { LoadedModel } from './loaded-model.js';

/**
 * Free memory for a run: of the devices of the model, and of this process (with the limits of its container) if all or
 * part of the model is on the CPU.
 */
export async function availableMemory(model: LoadedModel, signal?: AbortSignal): Promise<number> {
  const processMemory = process.availableMemory?.() ?? freemem();
  if (!model.onGpu) return processMemory;
  const devices = await nativeRun(signal, () => model.native.devices());
  return devices.reduce((sum, { memoryFree }) => sum + memoryFree, model.mixed ? processMemory : 0);
}
