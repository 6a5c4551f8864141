/**
 * oneDNN, the library for matrix products that the CPU accelerator needs. A build uses, in this order: one that is installed;
 * the pinned version of vendor/onednn.json, which pip downloads and checks against the pinned hashes; none.
 *
 * Nothing is installed: vendor/onednn holds include/, lib/ (files named as the loader looks for them) and licenses/.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { copyLicenses, makeFolder, readStamp, run } from './fetched-folder.mjs';
import { BuildError } from './tools.mjs';
import { fetchWheels } from './wheels.mjs';

const vendor = fileURLToPath(new URL('../vendor', import.meta.url));
export const fetchedFolder = path.join(vendor, 'onednn');

/** vendor/onednn.json. */
export const onednnPin = JSON.parse(fs.readFileSync(path.join(vendor, 'onednn.json'), 'utf8'));

/**
 * The folder that oneDNN is installed under, or undefined.
 *
 * @param {object} [machine] For tests: what stands for this machine.
 */
export function installedPrefix({
  env = process.env,
  exists = fs.existsSync,
  platform = process.platform,
  brew = () => run('brew', ['--prefix', '--installed', 'onednn']).stdout?.trim(),
} = {}) {
  const folders = ['lib', 'lib64', 'lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu'];
  const library = { darwin: 'libdnnl.dylib', win32: 'dnnl.lib' }[platform] ?? 'libdnnl.so';
  const has = (prefix) =>
    prefix &&
    exists(path.join(prefix, 'include', 'dnnl.hpp')) &&
    folders.some((folder) => exists(path.join(prefix, folder, library)));
  const given = [env.DNNL_ROOT, env.DNNLROOT];
  given.push(...(env.CMAKE_PREFIX_PATH ?? '').split(path.delimiter));
  const usual = platform === 'win32' ? [] : ['/usr/local', '/usr'];
  const found = [...given, ...usual].find(has);
  return found ?? (platform === 'darwin' ? [brew()].find(has) : undefined);
}

/** Puts the headers, the library under its soname and the license texts of unpacked wheels into `target`. */
function layOut(unpacked, target) {
  fs.mkdirSync(path.join(target, 'lib'));
  const wheels = fs.readdirSync(unpacked).filter((name) => name.endsWith('.data'));
  for (const folder of wheels.map((name) => path.join(unpacked, name, 'data'))) {
    const [include, lib] = ['include', 'lib'].map((name) => path.join(folder, name));
    if (fs.existsSync(include)) {
      fs.cpSync(include, path.join(target, 'include'), { recursive: true });
    }
    const names = fs.existsSync(lib) ? fs.readdirSync(lib) : [];
    for (const name of names.filter((file) => /\.so\.\d+$/.test(file))) {
      fs.copyFileSync(path.join(lib, name), path.join(target, 'lib', name));
    }
    const texts = path.join(folder, 'share', 'doc', 'onednn');
    copyLicenses(target, {
      'oneDNN.txt': path.join(texts, 'LICENSE'),
      'oneDNN-third-party.txt': path.join(texts, 'THIRD-PARTY-PROGRAMS'),
    });
  }
}

/**
 * Fetches the pinned oneDNN into `folder`, unless it is there already.
 *
 * @returns {{ folder?: string, reason?: string }} The folder, or why there is none.
 */
export function fetchOnednn({ folder = fetchedFolder, pin = onednnPin, log = console.log } = {}) {
  const platform = `${process.platform}-${process.arch}`;
  const packages = pin.files[platform];
  if (!packages) return { reason: `no version of it is pinned for ${platform}` };
  const stamp = { name: pin.name, version: pin.version, packages };
  if (JSON.stringify(readStamp(folder)) === JSON.stringify(stamp)) return { folder };
  return makeFolder(folder, {
    what: `${pin.name} ${pin.version}`,
    log,
    fill: (work, made) => {
      const { unpacked, reason } = fetchWheels(packages, work);
      if (reason) return { reason };
      layOut(unpacked, made);
      return { stamp };
    },
  });
}

/** The command that installs oneDNN. */
export function installCommand(platform = process.platform) {
  if (platform === 'darwin') return 'brew install onednn libomp';
  if (platform === 'win32') return 'vcpkg install onednn, with DNNL_ROOT set to its folder';
  return (
    'Debian, Ubuntu: sudo apt-get install libdnnl-dev; Fedora: sudo dnf install onednn-devel; ' +
    'Arch: sudo pacman -S onednn'
  );
}

/** The warning of a build that continues without oneDNN. */
export const withoutOnednn = (problem, hint) =>
  `llamatune: ${problem}.\n` +
  'llamatune: The build continues without it: training on this CPU will be about ten times slower.\n' +
  `llamatune: ${hint}.`;

/**
 * CMake's options about oneDNN: the one that is installed, else one that is fetched, else none and a warning.
 *
 * LLAMATUNE_ONEDNN=off builds without, =on fails where there is none.
 *
 * @param {object} [request]
 * @param {boolean} [request.bundled] Only a fetched one will do: it travels with the binary.
 */
export function onednnOptions({
  bundled = false,
  wanted = (process.env.LLAMATUNE_ONEDNN ?? '').toLowerCase(),
  installed = installedPrefix,
  fetch = fetchOnednn,
  warn = console.warn,
} = {}) {
  if (!['', 'auto', 'on', 'off'].includes(wanted)) {
    throw new BuildError(
      `expected LLAMATUNE_ONEDNN to be on, off or auto but received '${wanted}'`,
      'Leave it out for auto: oneDNN where it is installed or can be fetched',
    );
  }
  const without = {
    LLAMATUNE_ONEDNN: 'OFF',
    LLAMATUNE_ONEDNN_ROOT: '',
    LLAMATUNE_ONEDNN_FETCHED: '',
  };
  if (wanted === 'off') return without;
  const value = wanted === 'on' ? 'ON' : 'AUTO';
  const prefix = bundled ? undefined : installed();
  if (prefix) {
    return { ...without, LLAMATUNE_ONEDNN: value, LLAMATUNE_ONEDNN_ROOT: prefix };
  }
  const { folder, reason } = fetch();
  if (folder) return { ...without, LLAMATUNE_ONEDNN: value, LLAMATUNE_ONEDNN_FETCHED: folder };
  const problem = `oneDNN is not installed and could not be fetched: ${reason}`;
  const hint = `Install it and build again (${installCommand()})`;
  if (wanted === 'on') throw new BuildError(problem, hint);
  warn(
    withoutOnednn(
      problem,
      `${hint}, or set LLAMATUNE_ONEDNN=off to build without it and without this warning`,
    ),
  );
  return without;
}
