import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Compiles a library that ends the process that loads it, as a broken driver does; undefined where there is no compiler.
 */
export function compileBrokenLibrary(folder: string, name: string): string | undefined {
  const source = join(folder, 'broken.c');
  const library = join(folder, name);
  writeFileSync(
    source,
    '#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n',
  );
  const { status } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]);
  return status === 0 ? library : undefined;
}
