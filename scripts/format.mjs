/** npm run format: biome for TypeScript and JSON, clang-format (where installed) for C++. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './native-build.mjs';
import { packageFile } from './typescript-build.mjs';

const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'inherit' });

const biome = run(process.execPath, [
  packageFile('@biomejs/biome', 'bin/biome'),
  'check',
  '--write',
  '.',
]);
const sources = ['native', 'test/native'].flatMap((folder) =>
  fs
    .readdirSync(path.join(root, folder), { recursive: true })
    .filter((file) => /\.(h|cpp)$/.test(file))
    .map((file) => path.join(folder, file)),
);
const clang = run('clang-format', ['-i', ...sources]);
if (clang.error)
  console.log('llamatune: clang-format is not installed; C++ files were left as they are');
process.exitCode = (biome.status ?? 1) || (clang.error ? 0 : (clang.status ?? 1));
