/**
 * npm run architectures [-- name …]: tests all architectures of llama.cpp, or the named ones, and writes
 * docs/architectures.json and docs/architectures.md. Takes some minutes.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {
  buildFolder,
  buildNative,
  nativeTests,
  root,
  runMain,
} from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';
import { renderArchitectures } from './table.mjs';

if (process.argv.includes('--help')) {
  console.log(`npm run architectures [-- name …]

Tests every architecture of llama.cpp on a tiny random model: logits, gradients, ten steps, the adapter in stock llama.cpp.
Writes docs/architectures.json and docs/architectures.md. With names, updates only these rows.

  npm run architectures
  npm run architectures -- qwen3 qwen3moe-moe`);
  process.exit(0);
}

function run(command, args, cwd = root) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0)
    throw new BuildError(`${command} ${args[0]} failed: ${error?.message ?? status}`);
}

await runMain(async () => {
  await buildNative({ tests: true });
  const folder = buildFolder('release');
  run('ctest', ['-C', 'Release', '-R', '^arch-models$', '--output-on-failure'], folder);
  const json = path.join(root, 'docs', 'architectures.json');
  run(nativeTests('release'), ['--survey', json, ...process.argv.slice(2)]);
  const rows = JSON.parse(fs.readFileSync(json, 'utf8'));
  fs.writeFileSync(path.join(root, 'docs', 'architectures.md'), renderArchitectures(rows));
  console.log('llamatune: wrote docs/architectures.json and docs/architectures.md');
});
