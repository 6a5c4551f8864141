import { native } from '../contract/load.js';
import type { SystemInfo } from '../contract/model.js';

/** What this machine offers to llamatune. @throws LlamatuneError ADDON_NOT_FOUND. */
export function systemInfo(): SystemInfo {
  return native((addon) => addon.systemInfo());
}
