/**
 * npm run docs: writes the generated documents: docs/configuration.md (from the schemas of the options),
 * docs/architectures.md (from docs/architectures.json) and docs/gradient-rules.md (from the test cases of the rules).
 * npm run architectures writes docs/architectures.json, which takes some minutes.
 */
import { spawnSync } from 'node:child_process';
import { buildNative, nativeTests, root, runMain } from './native-build.mjs';
import { BuildError } from './tools.mjs';
import { packageFile } from './typescript-build.mjs';

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new BuildError(`${command} ${args.join(' ')} failed`);
}

await runMain(async () => {
  run(process.execPath, [packageFile('vitest', 'vitest.mjs'), 'run', 'test/unit/docs', '-u']);
  await buildNative({ tests: true });
  run(nativeTests('release'), ['gradient-rules.md'], { LLAMATUNE_WRITE_DOCS: '1' });
  console.log(
    'llamatune: wrote docs/configuration.md, docs/architectures.md, docs/gradient-rules.md',
  );
});
