/** npm run lint: formatting and rules of TypeScript and JSON (biome), formatting of C++ (clang-format), types (tsc). */
import { spawnSync } from 'node:child_process';
import { clangFormat } from './clang-format.mjs';
import { root } from './native-build.mjs';
import { packageFile } from './typescript-build.mjs';

const node = (file, args) =>
  spawnSync(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' }).status === 0;

const checks = {
  biome: () =>
    node(packageFile('@biomejs/biome', 'bin/biome'), ['check', '--error-on-warnings', '.']),
  'clang-format': () => clangFormat(['--dry-run', '-Werror']),
  tsc: () => node(packageFile('typescript', 'bin/tsc'), ['-p', 'tsconfig.json']),
};
const failed = Object.entries(checks).filter(([, check]) => !check());
for (const [name] of failed) console.error(`lint: ${name} failed; npm run format fixes formatting`);
process.exitCode = failed.length > 0 ? 1 : 0;
