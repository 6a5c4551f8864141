/**
 * npm run docs:api: the API reference of src/index.ts in docs/api/, by typedoc; a warning of typedoc fails. typedoc needs an
 * older TypeScript than the one that compiles the sources, so it is installed here and not at the root.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root, runMain } from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';

const folder = import.meta.dirname;

function isInstalled() {
  const wanted = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return Object.entries(wanted.devDependencies).every(([name, version]) => {
    const file = path.join(folder, 'node_modules', name, 'package.json');
    return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).version === version;
  });
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: folder,
    stdio: 'inherit',
    shell: command === 'npm' && process.platform === 'win32',
  });
  if (status !== 0) throw new BuildError(`${command} failed: ${error?.message ?? status}`);
}

await runMain(() => {
  if (!isInstalled()) run('npm', ['ci', '--no-audit', '--no-fund']);
  run(process.execPath, [path.join(folder, 'node_modules', 'typedoc', 'bin', 'typedoc')]);
  console.log(`llamatune: wrote ${path.relative(root, path.join(root, 'docs', 'api'))}`);
});
