import type { NativeDevice, NativeMatmul } from '../native/addon-types.js';
import { native } from '../native/load.js';

export type Device = NativeDevice;

export interface SystemInfo {
  /** Version of the llama.cpp that is built in. */
  llamaCpp: string;
  /** Back ends that are compiled in and usable here, e.g. 'CPU', 'CUDA', 'Vulkan'. */
  backends: string[];
  devices: Device[];
  physicalCores: number;
  /** Matrix products on the CPU: the accelerator for them, and whether `precision: 'bf16'` is of use. */
  matmul: NativeMatmul;
}

/** What this machine offers to llamatune. @throws LlamatuneError ADDON_NOT_FOUND. */
export function systemInfo(): SystemInfo {
  return native((addon) => addon.systemInfo());
}
