/**
 * oneDNN, the library for the CPU's matrix products, without which training on a CPU is about ten times slower. Where it
 * is not installed, Debian's and Ubuntu's packages are fetched into vendor/onednn: by apt, from the sources and through
 * the proxies that this machine is set up for, with apt's signatures checked; without root and without installing.
 *
 * vendor/onednn: include/, lib/ (files named as the loader looks for them), licenses/, onednn.json (what it was made from).
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  debianArchitecture,
  download,
  missingAptTool,
  run,
  succeeded,
  thisSystem,
  unpack,
  withDependencies,
} from './apt-packages.mjs';
import { BuildError } from './tools.mjs';

export { parseDependencies, parsePackage } from './apt-packages.mjs';

export const fetchedFolder = fileURLToPath(new URL('../vendor/onednn', import.meta.url));

const developmentPackage = 'libdnnl-dev';
/** Came with the compiler: a second one of these in a process would be a mistake. */
const ofTheCompiler = /^(libc6|libgcc-s1|libgcc1|libstdc\+\+6|libgomp1)$/;

/**
 * What to download: the headers and all that the library needs beyond the compiler's own libraries. Their names differ
 * between releases (libdnnl2, libdnnl3, libdnnl3.6), so they are looked up.
 *
 * @param {(name: string) => string} show `apt-cache show` of a package; '' where there is none.
 * @returns {{ name: string, version: string }[]} Empty when there is no such package.
 */
export function packagesToFetch(show) {
  return withDependencies(developmentPackage, show, (name) => ofTheCompiler.test(name));
}

/**
 * The folder that oneDNN is installed under, or undefined.
 *
 * @param {object} [machine] For tests: what stands for this machine.
 */
export function installedPrefix({
  env = process.env,
  exists = fs.existsSync,
  platform = process.platform,
  brew = () => succeeded(run('brew', ['--prefix', '--installed', 'onednn'])),
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

/** What vendor/onednn was made from, or undefined where it is missing or another system's. */
export function fetched(folder = fetchedFolder) {
  try {
    const made = JSON.parse(fs.readFileSync(path.join(folder, 'onednn.json'), 'utf8'));
    return made.system === thisSystem() ? made : undefined;
  } catch {
    return undefined;
  }
}

/** The name by which the loader looks for a library. */
function soname(file) {
  const { status, stdout } = run('readelf', ['-d', '-W', file]);
  return (status === 0 && /\(SONAME\).*\[(.+)\]/.exec(stdout)?.[1]) || path.basename(file);
}

/** Lays out `target` from unpacked packages. */
function layOut(unpacked, target, packages) {
  const usr = path.join(unpacked, 'usr');
  fs.cpSync(path.join(usr, 'include'), path.join(target, 'include'), { recursive: true });
  fs.mkdirSync(path.join(target, 'lib'), { recursive: true });
  for (const name of fs.readdirSync(path.join(usr, 'lib'), { recursive: true })) {
    const file = path.join(usr, 'lib', name);
    if (!/\.so\.[\d.]+$/.test(name) || !fs.lstatSync(file).isFile()) continue;
    fs.copyFileSync(file, path.join(target, 'lib', soname(file)));
  }
  fs.mkdirSync(path.join(target, 'licenses'), { recursive: true });
  for (const { name } of packages) {
    const copyright = path.join(usr, 'share', 'doc', name, 'copyright');
    if (fs.existsSync(copyright)) {
      fs.copyFileSync(fs.realpathSync(copyright), path.join(target, 'licenses', `${name}.txt`));
    }
  }
  const made = { system: thisSystem(), packages };
  fs.writeFileSync(path.join(target, 'onednn.json'), `${JSON.stringify(made, null, 2)}\n`);
}

/**
 * Fetches oneDNN's packages into `folder`, where they are not there already.
 *
 * @returns {{ folder?: string, reason?: string }} The folder, or why there is none.
 */
export function fetchOnednn({ folder = fetchedFolder, log = console.log } = {}) {
  if (fetched(folder)) return { folder };
  const architecture = process.platform === 'linux' ? debianArchitecture() : undefined;
  if (!architecture)
    return { reason: `there are no packages for ${process.platform}-${process.arch}` };
  const tool = missingAptTool();
  if (tool) return { reason: `this system has no ${tool}` };
  const started = Date.now();
  log('llamatune: fetching oneDNN, for fast matrix products (about 7 MB, nothing is installed)');
  let work;
  try {
    // beside the target, so that the finished folder can be moved there in one step
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    work = fs.mkdtempSync(`${folder}-`);
    const { debs, packages, reason } = download(work, architecture, {
      choose: packagesToFetch,
      missing: developmentPackage,
    });
    if (!debs) return { reason };
    const unpacked = path.join(work, 'unpacked');
    const failed = unpack(debs, unpacked);
    if (failed) return { reason: failed };
    layOut(unpacked, path.join(work, 'made'), packages);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(path.join(work, 'made'), folder);
    const names = packages.map(({ name, version }) => `${name} ${version}`).join(', ');
    log(`llamatune: fetched ${names} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    return { folder };
  } catch (error) {
    return fetched(folder) ? { folder } : { reason: error.message };
  } finally {
    if (work) fs.rmSync(work, { recursive: true, force: true });
  }
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

/** What a user reads when a build goes on without oneDNN. */
export const withoutOnednn = (problem, hint) =>
  `llamatune: ${problem}.\n` +
  'llamatune: The build goes on without it: training on this CPU will be about ten times slower.\n' +
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
