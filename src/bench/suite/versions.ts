import { readFileSync } from 'node:fs';
import { systemInfo } from '../../model/system-info.js';

/** The versions that a measurement depends on. */
export function toolVersions(): Record<string, string> {
  const { version } = readPackageFile('package.json');
  const { llamaCpp, cpuAccelerator } = systemInfo();
  const pinned = readPackageFile('vendor/llama.cpp.json');
  // A build from other sources than the pinned ones has another commit.
  const isPinned = pinned.version === `v${llamaCpp}`;
  return {
    llamatune: version!,
    'llama.cpp': llamaCpp,
    ...(isPinned ? { 'llama.cpp commit': pinned.commit! } : {}),
    'CPU accelerator': cpuAccelerator?.description ?? 'none',
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}

const readPackageFile = (path: string): Record<string, string | undefined> =>
  JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'));
