/**
 * Builds the native part with cmake-js. All outputs are in build/: objects in build/addon, and the addon in
 * build/Release/llamatune.node, where node-gyp-build looks first.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FetchError, fetchVendor, isUpToDate } from '../vendor/fetch.mjs';
import { buildStamp } from './build-stamp.mjs';
import { onednnOptions, withoutOnednn } from './onednn.mjs';
import { BuildError, backendOptions, checkTools, parallelJobs } from './tools.mjs';
import { vulkanOptions } from './vulkan.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

const portable = { LLAMATUNE_PORTABLE: 'ON' };
const withoutOnednnLibrary = { wanted: 'off' };

/** `onednn`: the request of onednnOptions(). `addon`: whether the addon is built by default. */
const modes = {
  release: { folder: 'addon', config: 'Release', output: 'build/Release', addon: true },
  debug: { folder: 'debug', config: 'Debug', output: 'build/Debug', addon: true },
  // Without the addon: the runtime of a sanitizer must be the first library of a process, and node is not linked with it.
  sanitize: {
    folder: 'asan',
    config: 'RelWithDebInfo',
    output: 'build/asan/bin',
    options: { LLAMATUNE_SANITIZE: 'ON' },
    onednn: withoutOnednnLibrary,
    backends: 'cpu',
  },
  // The native tests on a Vulkan device, which may be Mesa's software device: `npm test -- vulkan`.
  vulkan: {
    folder: 'vulkan',
    config: 'Release',
    output: 'build/vulkan/bin',
    backends: 'vulkan',
  },
  portable: {
    folder: 'portable',
    config: 'Release',
    output: 'build/prebuild/build/Release',
    options: portable,
    onednn: { bundled: true },
    addon: true,
  },
  // What tools/gpu-kit packs for a machine with a GPU: back ends that are loaded at run time.
  gpuKit: {
    folder: 'gpu-kit-build',
    config: 'Release',
    output: 'build/gpu-kit-build/bin',
    options: portable,
    onednn: withoutOnednnLibrary,
  },
  // The same without a GPU back end, for the kit's dry run.
  gpuKitCpu: {
    folder: 'gpu-kit-build-cpu',
    config: 'Release',
    output: 'build/gpu-kit-build-cpu/bin',
    options: portable,
    onednn: withoutOnednnLibrary,
  },
};

/** The folder that holds a mode's CMake cache and objects. */
export const buildFolder = (mode) => path.join(root, 'build', modes[mode].folder);

/** Path of the built native tests. */
export const nativeTests = (mode) =>
  ['llamatune-native-tests', 'Release/llamatune-native-tests.exe']
    .map((name) => path.join(buildFolder(mode), name))
    .find((file) => fs.existsSync(file));

const cmakeJs = () => {
  const require = createRequire(path.join(root, 'package.json'));
  return path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
};

/**
 * Runs a command with its output in a log file, and prints its progress (lines like "[12/345]" or "[ 12%]") in steps of
 * 5 %.
 */
function runLogged(command, args, logFile, label) {
  return new Promise((resolve, reject) => {
    const log = fs.createWriteStream(logFile, { flags: 'a' });
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const started = Date.now();
    const terminal = process.stdout.isTTY;
    let tail = [];
    let shown = -1;
    let rest = '';
    const onData = (data) => {
      log.write(data);
      const lines = (rest + data).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) {
        tail.push(line);
        const match = /^\[\s*(\d+)(?:\/(\d+)\]|%\])/.exec(line);
        if (!match || !label) continue;
        const percent = match[2] ? (100 * Number(match[1])) / Number(match[2]) : Number(match[1]);
        const step = Math.floor(percent / (terminal ? 1 : 5));
        if (step <= shown) continue;
        shown = step;
        const text = `llamatune: ${label} ${Math.floor(percent)} % (${Math.round((Date.now() - started) / 1000)} s)`;
        process.stdout.write(terminal ? `\r${text}` : `${text}\n`);
      }
      tail = tail.slice(-200);
    };
    child.stdout.setEncoding('utf8').on('data', onData);
    child.stderr.setEncoding('utf8').on('data', onData);
    child.on('error', reject);
    child.on('close', (code) => {
      if (terminal && shown >= 0) process.stdout.write('\n');
      log.end();
      resolve({ ok: code === 0, tail: [...tail, rest] });
    });
  });
}

/** The lines that explain why a build failed: the first errors, or the end of the output. */
function explain(tail) {
  const first = tail.findIndex((line) =>
    /(\berror:|CMake Error|^FAILED:|undefined reference)/.test(line),
  );
  return (first < 0 ? tail.slice(-25) : tail.slice(Math.max(0, first - 2), first + 25)).join('\n');
}

/** CMake's options for a mode. */
function definitionsOf({ output, options, backends, onednn = {} }, request) {
  const forBackends = backendOptions(request.backends ?? backends);
  return {
    LLAMATUNE_ADDON: request.addon ? 'ON' : 'OFF',
    LLAMATUNE_TESTS: request.tests ? 'ON' : 'OFF',
    LLAMATUNE_OUTPUT_DIR: path.join(root, output),
    ...(request.addon ? { LLAMATUNE_BUILD_STAMP: buildStamp() } : {}),
    CMAKE_EXPORT_COMPILE_COMMANDS: 'ON', // for clang-tidy and editors
    ...options,
    ...forBackends,
    ...vulkanOptions(forBackends.LLAMATUNE_VULKAN),
    ...onednnOptions(onednn),
    ...request.more,
  };
}

/**
 * Builds the addon, the native tests or both. Fetches llama.cpp first if it is missing. Configures only if the options have
 * changed; otherwise the build tool decides what is out of date.
 *
 * @param {object} request
 * @param {'release' | 'debug' | 'sanitize' | 'vulkan' | 'portable' | 'gpuKit' | 'gpuKitCpu'} [request.mode]
 * @param {boolean} [request.tests] Also build the native tests.
 * @param {boolean} [request.addon]
 * @param {string[]} [request.programs] More targets.
 * @param {string} [request.backends] Instead of the environment variable LLAMATUNE_BACKENDS.
 * @param {Record<string, string>} [request.more] More options of CMake.
 */
export async function buildNative(request = {}) {
  const { mode = 'release', tests = false, programs = [] } = request;
  const { config, output } = modes[mode];
  const addon = request.addon ?? modes[mode].addon ?? false;
  const fetched = isUpToDate();
  checkTools({ git: !fetched });
  if (!fetched) fetchVendor();

  const folder = buildFolder(mode);
  const logFile = path.join(folder, 'build.log');
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(logFile, '');

  const definitions = definitionsOf(modes[mode], { ...request, addon, tests });
  const common = ['--directory', root, '--out', folder, '--config', config, '--log-level', 'error'];
  for (const [name, value] of Object.entries(definitions)) common.push(`--CD${name}=${value}`);

  const signatureFile = path.join(folder, 'llamatune-configuration.json');
  const signature = JSON.stringify({
    root,
    config,
    definitions,
    compiler: [process.env.CC, process.env.CXX],
  });
  const previous = fs.existsSync(signatureFile) ? fs.readFileSync(signatureFile, 'utf8') : '';
  if (previous !== signature || !fs.existsSync(path.join(folder, 'CMakeCache.txt'))) {
    console.log(`llamatune: configuring the native build (${mode})`);
    fs.rmSync(signatureFile, { force: true });
    let configured = await runLogged(
      process.execPath,
      [cmakeJs(), 'configure', ...common],
      logFile,
    );
    if (!configured.ok && fs.existsSync(path.join(folder, 'CMakeCache.txt'))) {
      // The cache of another folder, generator or compiler cannot be reused.
      for (const name of ['CMakeCache.txt', 'CMakeFiles']) {
        fs.rmSync(path.join(folder, name), { recursive: true, force: true });
      }
      configured = await runLogged(process.execPath, [cmakeJs(), 'configure', ...common], logFile);
    }
    if (!configured.ok) {
      throw new BuildError(
        `CMake could not configure the build:\n${explain(configured.tail)}`,
        `The full output is in ${path.relative(process.cwd(), logFile)}`,
      );
    }
    fs.writeFileSync(signatureFile, signature);
    const cache = fs.readFileSync(path.join(folder, 'CMakeCache.txt'), 'utf8');
    const problem = /^LLAMATUNE_ONEDNN_PROBLEM:INTERNAL=(.+)$/m.exec(cache)?.[1];
    if (problem) {
      console.warn(
        withoutOnednn(problem, 'See the messages of CMake in build.log, or compile with g++'),
      );
    }
  }

  const targets = [addon && 'llamatune', tests && 'llamatune-native-tests', ...programs].filter(
    Boolean,
  );
  for (const target of targets) {
    const args = [
      cmakeJs(),
      'build',
      ...common,
      '--target',
      target,
      '--parallel',
      String(parallelJobs()),
    ];
    const built = await runLogged(process.execPath, args, logFile, `building ${target}`);
    if (!built.ok) {
      throw new BuildError(
        `compiling ${target} failed:\n${explain(built.tail)}`,
        `The full output is in ${path.relative(process.cwd(), logFile)}. ` +
          'LLAMATUNE_BACKENDS=cpu builds without GPU back ends; LLAMATUNE_JOBS=1 needs the least memory.',
      );
    }
  }
  return { folder, output: path.join(root, output) };
}

/** Runs `main` of a script and turns expected errors into two plain lines and exit code 1. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof BuildError || error instanceof FetchError)) throw error;
    console.error(`\nllamatune: ${error.message}`);
    if (error.hint) console.error(`llamatune: ${error.hint}`);
    process.exitCode = 1;
  }
}
