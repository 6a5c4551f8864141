import { readFileSync } from 'node:fs';
import { systemInfo } from './system-info.js';

/** Versions of llamatune, llama.cpp, Node.js and the platform. The native ones are left out if the addon cannot be loaded. */
export function versions(): Record<string, string> {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return {
    llamatune: (manifest as { version: string }).version,
    ...native(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}

function native(): Record<string, string> {
  try {
    const { llamaCpp, cpuAccelerator } = systemInfo();
    return { 'llama.cpp': llamaCpp, 'CPU accelerator': cpuAccelerator?.description ?? 'none' };
  } catch {
    return {};
  }
}
