/** npm run format: biome for TypeScript and JSON, clang-format for C++. */
import { spawnSync } from 'node:child_process';
import { clangFormat } from './clang-format.mjs';
import { root } from './native-build.mjs';
import { packageFile } from './typescript-build.mjs';

const biome = spawnSync(
  process.execPath,
  [packageFile('@biomejs/biome', 'bin/biome'), 'check', '--write', '.'],
  { cwd: root, stdio: 'inherit' },
);
const formatted = clangFormat(['-i']);
process.exitCode = biome.status === 0 && formatted ? 0 : 1;
