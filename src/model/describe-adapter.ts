import { resolve } from 'node:path';
import { native, ready } from '../contract/load.js';
import type { AdapterInfo } from '../contract/model.js';

/**
 * Reads the header of a LoRA adapter (GGUF): rank, alpha, target weights, base model and metadata. Loads no model, and
 * also reads the adapters of other tools.
 *
 * @throws LlamatuneError ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID, ADDON_NOT_FOUND.
 */
export async function describeAdapter(path: string): Promise<AdapterInfo> {
  await ready();
  return native((addon) => addon.describeAdapter(resolve(path)));
}
