import { readFileSync } from 'node:fs';
import { systemInfo } from './system-info.js';

/**
 * Versions of llamatune, llama.cpp, Node.js and the platform. The native ones are left out if the addon cannot be loaded, and
 * the commit of llama.cpp if the addon was built from other sources than the pinned ones.
 */
export function versions(): Record<string, string> {
  return {
    llamatune: readPackageFile('package.json').version!,
    ...native(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}

function native(): Record<string, string> {
  const pinned = readPackageFile('vendor/llama.cpp.json');
  try {
    const { llamaCpp, cpuAccelerator } = systemInfo();
    return {
      'llama.cpp': llamaCpp,
      ...(pinned.version === `v${llamaCpp}` ? { 'llama.cpp commit': pinned.commit! } : {}),
      'CPU accelerator': cpuAccelerator?.description ?? 'none',
    };
  } catch {
    return {};
  }
}

const readPackageFile = (path: string): Record<string, string | undefined> =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
