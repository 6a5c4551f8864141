/** npm run lint: formatting and rules of TypeScript and JSON (biome), formatting of C++ (clang-format), types (tsc). */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { clangFormat } from './clang-format.mjs';
import { root } from './native-build.mjs';
import { packageFile } from './typescript-build.mjs';

const node = (file, args) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });

const buildInfo = path.join(root, 'build', 'tsconfig.tsbuildinfo');
const tsc = [...['-p', 'tsconfig.json', '--incremental'], ...['--tsBuildInfoFile', buildInfo]];

// The last one blocks this process, so the others are started first and run at the same time.
const checks = {
  tsc: node(packageFile('typescript', 'bin/tsc'), tsc),
  biome: node(packageFile('@biomejs/biome', 'bin/biome'), ['check', '--error-on-warnings', '.']),
  'clang-format': clangFormat(['--dry-run', '-Werror']),
};
const failed = [];
for (const [name, passed] of Object.entries(checks)) if (!(await passed)) failed.push(name);
for (const name of failed) console.error(`lint: ${name} failed; npm run format fixes formatting`);
process.exitCode = failed.length > 0 ? 1 : 0;
