/** npm run clean: removes what builds make; the vendored source and node_modules stay. */
import fs from 'node:fs';
import path from 'node:path';
import { root } from './native-build.mjs';

for (const folder of ['build', 'dist', 'prebuilds', '.cache', 'docs/api']) {
  fs.rmSync(path.join(root, folder), { recursive: true, force: true });
}
