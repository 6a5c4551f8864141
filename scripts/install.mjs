/**
 * npm's install step: takes the prebuilt addon when one fits and loads, else builds it from source; in a checkout it
 * also compiles the TypeScript. `npm install --build-from-source` skips prebuilt addons.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { buildNative, root, runMain } from './native-build.mjs';
import { buildTypeScript } from './typescript-build.mjs';

/** The prebuilt addon for this machine, if there is one and it loads (its libc may be too old for it). */
function fittingPrebuild() {
  if (process.env.npm_config_build_from_source || process.argv.includes('--build-from-source'))
    return undefined;
  const script = `
    const resolve = require('node-gyp-build').resolve;
    const file = resolve(${JSON.stringify(root)});
    if (!file.includes('prebuilds')) process.exit(2);
    require(file);
    console.log(file);`;
  const require = createRequire(path.join(root, 'package.json'));
  const paths = [path.resolve(require.resolve('node-gyp-build/package.json'), '..', '..')];
  const env = { ...process.env, NODE_PATH: paths.join(path.delimiter) };
  const result = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8', env });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

await runMain(async () => {
  const prebuild = fittingPrebuild();
  if (prebuild) {
    console.log(`llamatune: using ${path.relative(root, prebuild)}`);
  } else {
    console.log(
      fs.existsSync(path.join(root, 'build', 'Release', 'llamatune.node'))
        ? 'llamatune: bringing the native build up to date'
        : 'llamatune: no prebuilt addon fits this machine, building from source (some minutes)',
    );
    await buildNative();
  }
  buildTypeScript();
});
