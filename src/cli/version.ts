import { readFileSync } from 'node:fs';
import { systemInfo } from '../index.js';

/** Versions of what decides how a run comes out. llama.cpp's is left out where the addon cannot be loaded. */
export function versions(): Record<string, string> {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return {
    llamatune: (manifest as { version: string }).version,
    ...llamaCpp(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}

function llamaCpp(): { 'llama.cpp'?: string } {
  try {
    return { 'llama.cpp': systemInfo().llamaCpp };
  } catch {
    return {};
  }
}
