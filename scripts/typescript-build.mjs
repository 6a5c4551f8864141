/** Compiles src/ to dist/ in a checkout; the npm package contains dist/ only. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { writeBuildStamp } from './build-stamp.mjs';
import { root } from './native-build.mjs';
import { BuildError } from './tools.mjs';

/** A file of an installed package, or undefined. */
export function packageFile(name, file) {
  try {
    const require = createRequire(path.join(root, 'package.json'));
    return path.join(path.dirname(require.resolve(`${name}/package.json`)), file);
  } catch {
    return undefined;
  }
}

/** Returns false if there is nothing to compile (installed package) or no compiler (npm install --omit=dev). */
export function buildTypeScript() {
  if (!fs.existsSync(path.join(root, 'src', 'index.ts'))) return false;
  const tsc = packageFile('typescript', 'bin/tsc');
  if (!tsc || !fs.existsSync(tsc)) return false;
  // An incremental build does not check its outputs: without them, start again.
  if (!fs.existsSync(path.join(root, 'dist', 'index.js'))) {
    fs.rmSync(path.join(root, 'build', 'tsconfig.build.tsbuildinfo'), { force: true });
  }
  const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (result.status !== 0) {
    throw new BuildError(
      'compiling src/ failed',
      'The errors are above; `npm run build:ts` repeats this step.',
    );
  }
  writeBuildStamp();
  const main = path.join(root, 'dist', 'cli', 'main.js');
  if (fs.existsSync(main)) fs.chmodSync(main, 0o755);
  return true;
}

/** Throws if there is no compiled dist/, which benchmarks and examples import. */
export function requireBuild() {
  if (fs.existsSync(path.join(root, 'dist', 'index.js'))) return;
  throw new BuildError('dist/index.js is missing', 'Run npm run build first.');
}
