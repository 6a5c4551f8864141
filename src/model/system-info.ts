import { native } from '../contract/load.js';
import type { SystemInfo } from '../contract/model.js';

/** Back ends, devices and CPU features of this machine. @throws LlamatuneError ADDON_NOT_FOUND. */
export function systemInfo(): SystemInfo {
  return native((addon) => addon.systemInfo());
}
