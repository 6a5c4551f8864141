// An addon that does not belong to the TypeScript is refused: real files, in a copy of the package.
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, runNode } from './command-line.js';
import { temporaryFolder } from './tiny-model.js';

const folder = temporaryFolder();
const at = (path: string) => join(folder, path);
const addon = 'build/Release/llamatune.node';
const stampFile = 'dist/contract/build-stamp.json';
const read = (path: string) => readFileSync(at(path), 'utf8');
const stampOf = (): string => JSON.parse(read(stampFile)).stamp;

/** The package with a copy of its addon. */
beforeAll(() => {
  cpSync(join(root, 'dist'), at('dist'), { recursive: true });
  cpSync(join(root, 'package.json'), at('package.json'));
  cpSync(join(root, addon), at(addon));
  for (const name of readdirSync(join(root, 'build/Release'))) {
    const path = join('build/Release', name);
    // the libraries next to it are large
    if (name !== 'llamatune.node') symlinkSync(join(root, path), at(path));
  }
  symlinkSync(join(root, 'node_modules'), at('node_modules'), 'junction');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function load() {
  const index = pathToFileURL(at('dist/index.js')).href;
  const code = `import('${index}').then(({ systemInfo }) => console.log(systemInfo().llamaCpp),
    ({ code, message, hint }) => console.log(JSON.stringify({ code, message, hint })))
    .catch(({ code, message, hint }) => console.log(JSON.stringify({ code, message, hint })))`;
  const { stdout } = await runNode(['-e', code]);
  return stdout.trim();
}

/** Replaces the stamp in the binary by another one of the same length. */
function forge(change: (stamp: string) => string): void {
  const content = readFileSync(join(root, addon), 'latin1');
  const stamp = stampOf();
  const forged = change(stamp);
  expect([content.split(stamp).length, forged.length]).toEqual([2, stamp.length]);
  writeFileSync(at(addon), content.replace(stamp, forged), 'latin1');
}

describe('an addon', () => {
  it('of the same build is loaded', async () => {
    expect(stampOf()).toMatch(/^\d+\.\d+\.\d+\+[0-9a-f]{12}$/);
    expect(await load()).toMatch(/^\d/);
  });

  it.each(['', '{}', 'null', '{"stamp":'])('is refused with the damaged stamp %j', async (text) => {
    const stamp = read(stampFile);
    writeFileSync(at(stampFile), text);
    const error = JSON.parse(await load());
    writeFileSync(at(stampFile), stamp);
    expect(error).toMatchObject({
      code: 'ADDON_OUTDATED',
      message: expect.stringMatching(/build-stamp\.json' is damaged$/),
      hint: expect.stringContaining('npm run build'),
    });
  });

  it('of another version is refused', async () => {
    forge((stamp) => stamp.replace(/^\d/, '7'));
    expect(JSON.parse(await load())).toMatchObject({
      code: 'ADDON_OUTDATED',
      message: expect.stringMatching(
        /llamatune\.node' was built for llamatune 7\.1\.0, but this is/,
      ),
      hint: expect.stringContaining('npm rebuild llamatune'),
    });
  });

  it('of another contract is refused', async () => {
    forge((stamp) => stamp.replace(/.{4}$/, (end) => (end === '0000' ? '1111' : '0000')));
    expect(JSON.parse(await load())).toMatchObject({
      code: 'ADDON_OUTDATED',
      message: expect.stringContaining('other sources of llamatune'),
    });
  });

  it('is refused by a newer package', async () => {
    forge((stamp) => stamp);
    const { version } = JSON.parse(read('package.json'));
    writeFileSync(at('package.json'), read('package.json').replace(version, '99.0.0'));
    expect(JSON.parse(await load())).toMatchObject({
      code: 'ADDON_OUTDATED',
      message: expect.stringContaining('but this is 99.0.0'),
    });
  });
});
