/** Runs before `npm pack`: makes dist/ and the vendored source, because the package contains both. */
import fs from 'node:fs';
import path from 'node:path';
import { fetchVendor } from '../vendor/fetch.mjs';
import { root, runMain } from './native-build.mjs';
import { BuildError } from './tools.mjs';
import { buildTypeScript } from './typescript-build.mjs';

await runMain(() => {
  fetchVendor({ log: console.error });
  fs.rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  if (!buildTypeScript()) {
    throw new BuildError(
      'cannot compile src/ to dist/',
      'Run `npm install` with development dependencies first.',
    );
  }
});
