import { readFileSync } from 'node:fs';
import { systemInfo } from '../../model/system-info.js';

/** The versions that a measurement depends on. */
export function toolVersions(): Record<string, string> {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  const { llamaCpp, cpuAccelerator } = systemInfo();
  return {
    llamatune: (manifest as { version: string }).version,
    'llama.cpp': llamaCpp,
    'CPU accelerator': cpuAccelerator?.description ?? 'none',
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}
