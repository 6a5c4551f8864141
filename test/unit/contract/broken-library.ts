import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Compiles a library that ends the process that loads it, as a broken driver does. Not on Windows.
 */
export function compileBrokenLibrary(folder: string, name: string): string {
  const source = join(folder, 'broken.c');
  const library = join(folder, name);
  writeFileSync(
    source,
    '#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n',
  );
  const { status, error, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]);
  if (status !== 0) throw error ?? new Error(`cc failed: ${stderr}`);
  return library;
}
