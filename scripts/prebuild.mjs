/**
 * npm run prebuilds: fills prebuilds/<platform>-<arch>/ with the portable addon and its libraries. The folder runs on any
 * CPU of the architecture, without a compiler or the vendored source.
 *
 * prebuildify lays out the folder (file name and libc tag that node-gyp-build looks for, libraries next to the addon).
 * It would call node-gyp, which downloads headers of Node that are not needed, so our build replaces node-gyp.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { root, runMain } from './native-build.mjs';
import { fetchedFolder, onednnPin } from './onednn.mjs';
import { BuildError } from './tools.mjs';

const tuple = `${process.platform}-${process.arch}`;
const stage = path.join(root, 'build', 'prebuild');

/** The newest glibc and libstdc++ versions that the binaries use; older systems must build from source. */
function neededVersions(folder) {
  if (process.platform !== 'linux') return [];
  const newest = new Map();
  for (const file of fs.readdirSync(folder).filter(isFile(folder))) {
    const { stdout = '' } = spawnSync('objdump', ['-T', path.join(folder, file)], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    for (const [, name, version] of (stdout ?? '').matchAll(/\b(GLIBC|GLIBCXX)_([\d.]+)/g)) {
      const compare = (a, b) => a.localeCompare(b, 'en', { numeric: true });
      if (!newest.has(name) || compare(version, newest.get(name)) > 0) newest.set(name, version);
    }
  }
  return [...newest].map(([name, version]) => `${name} ${version}`);
}

const isFile = (folder) => (name) => fs.statSync(path.join(folder, name)).isFile();

/**
 * Copies libraries whose names prebuildify does not know (libdnnl.so.3), with their license texts.
 *
 * @returns {string | undefined} The oneDNN that is among them, e.g. 'oneDNN 3.2.0'.
 */
function addLibraries(folder) {
  const built = path.join(stage, 'build', 'Release');
  const libraries = fs.readdirSync(built).filter((name) => /\.so\.[\d.]+$/.test(name));
  for (const name of libraries) fs.copyFileSync(path.join(built, name), path.join(folder, name));
  if (!libraries.some((name) => name.startsWith('libdnnl'))) return undefined;
  const licenses = path.join(folder, 'licenses');
  fs.cpSync(path.join(fetchedFolder, 'licenses'), licenses, { recursive: true });
  const texts = {
    'libgomp1.txt': '/usr/share/doc/libgomp1/copyright',
    'GPL-3.txt': '/usr/share/common-licenses/GPL-3',
  };
  for (const [name, file] of Object.entries(texts)) {
    if (fs.existsSync(file)) fs.copyFileSync(fs.realpathSync(file), path.join(licenses, name));
  }
  return `${onednnPin.name} ${onednnPin.version}`;
}

/** Loads the addon in a separate process from a copy of the folder, away from build/ and vendor/. */
function check(folder) {
  const copy = fs.mkdtempSync(path.join(stage, 'check-'));
  try {
    fs.cpSync(folder, path.join(copy, 'prebuilds', tuple), { recursive: true });
    const require = createRequire(path.join(root, 'package.json'));
    const script = `
      const file = require(${JSON.stringify(require.resolve('node-gyp-build'))}).resolve(${JSON.stringify(copy)});
      const addon = require(file);
      addon.loadBackends(require('node:path').dirname(file));
      if (addon.systemInfo().devices.length === 0) throw new Error('no device was found');`;
    // LD_BIND_NOW: a missing function is an error now, not at its first call.
    execFileSync(process.execPath, ['-e', script], {
      env: { ...process.env, LD_BIND_NOW: '1' },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
  } catch (error) {
    throw new BuildError(`the prebuilt addon does not load: ${error.stderr ?? error}`, '');
  } finally {
    fs.rmSync(copy, { recursive: true, force: true });
  }
}

await runMain(async () => {
  const { default: prebuildify } = await import('prebuildify');
  fs.mkdirSync(stage, { recursive: true });
  fs.rmSync(path.join(root, 'prebuilds', tuple), { recursive: true, force: true });
  // prebuildify packs every file in the folder, so nothing of an earlier build may be left.
  fs.rmSync(path.join(stage, 'build'), { recursive: true, force: true });
  await new Promise((resolve, reject) => {
    prebuildify(
      {
        cwd: stage,
        out: root,
        name: 'llamatune',
        napi: true,
        tagLibc: process.platform === 'linux',
        targets: [{ runtime: 'node', target: process.versions.node }],
        nodeGyp: `"${process.execPath}" "${path.join(root, 'scripts', 'build.mjs')}" --portable`,
        shell: true,
      },
      (error) => (error ? reject(error) : resolve()),
    );
  });
  const folder = path.join(root, 'prebuilds', tuple);
  const onednn = addLibraries(folder);
  check(folder);
  const files = fs.readdirSync(folder).filter(isFile(folder));
  const bytes = files.reduce((sum, file) => sum + fs.statSync(path.join(folder, file)).size, 0);
  console.log(
    `llamatune: prebuilds/${tuple}: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB`,
  );
  console.log(`llamatune: with ${onednn ?? 'no oneDNN'}`);
  const versions = neededVersions(folder);
  if (versions.length > 0) console.log(`llamatune: needs ${versions.join(' and ')} or newer`);
});
