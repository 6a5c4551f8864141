/**
 * npm run build | build:debug | build:asan | build:ts
 *
 *     node scripts/build.mjs [--debug | --sanitize | --portable | --typescript]
 */
import fs from 'node:fs';
import path from 'node:path';
import { buildNative, root, runMain } from './native-build.mjs';
import { buildTypeScript } from './typescript-build.mjs';

const has = (flag) => process.argv.includes(flag);

await runMain(async () => {
  if (has('--typescript')) {
    buildTypeScript();
  } else if (has('--portable')) {
    await buildNative({ mode: 'portable' });
  } else if (has('--sanitize')) {
    const { folder } = await buildNative({ mode: 'sanitize', tests: true });
    console.log(
      `llamatune: run the tests with: ctest --test-dir ${path.relative(root, folder)} --output-on-failure`,
    );
  } else if (has('--debug')) {
    const { output } = await buildNative({ mode: 'debug' });
    // node-gyp-build prefers build/Release: take that one away, `npm run build` links it again.
    fs.rmSync(path.join(root, 'build', 'Release', 'llamatune.node'), { force: true });
    buildTypeScript();
    console.log(`llamatune: built ${path.relative(root, path.join(output, 'llamatune.node'))}`);
  } else {
    const { output } = await buildNative();
    buildTypeScript();
    console.log(`llamatune: built ${path.relative(root, path.join(output, 'llamatune.node'))}`);
  }
});
