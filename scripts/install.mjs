/**
 * The install step of npm: uses the prebuilt addon if there is one that loads, otherwise builds the addon from source. In
 * a checkout it also compiles the TypeScript. `npm install --build-from-source` skips prebuilt addons.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { buildNative, root, runMain } from './native-build.mjs';
import { buildTypeScript } from './typescript-build.mjs';

/** The prebuilt addon for this machine, if there is one that loads (the libc of the machine may be too old). */
function usablePrebuild() {
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
  const prebuild = usablePrebuild();
  if (prebuild) {
    console.log(`llamatune: using ${path.relative(root, prebuild)}`);
  } else {
    console.log(
      fs.existsSync(path.join(root, 'build', 'Release', 'llamatune.node'))
        ? 'llamatune: updating the native build'
        : 'llamatune: there is no prebuilt addon for this machine; building from source (takes some minutes)',
    );
    await buildNative();
  }
  buildTypeScript();
});
