/**
 * npm test: lint (with types), build, unit, native and integration tests. npm run test:full adds clang-tidy, the slopes of
 * every architecture in all batches, other fuzzed inputs, twenty kills of a resumed run, `llamatune test --level smoke`, the
 * sanitizers, Vulkan, the GPU kit on the CPU, the API reference, the npm package and the prebuilt addon.
 *
 *     node scripts/test.mjs [--full] [step …]      only those steps, e.g. `npm test -- unit native`
 *
 * All steps run, so that one run shows all problems; only a failed build ends it early. The last line is the sum over all
 * steps: "N passed, N failed, N skipped". Full outputs are in build/test/.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildFolder, buildNative, nativeTests, root, runMain } from './native-build.mjs';
import { BuildError } from './tools.mjs';
import { buildTypeScript, packageFile } from './typescript-build.mjs';

const logs = path.join(root, 'build', 'test');
const total = { passed: 0, failed: 0, skipped: 0 };

const add = (counts) => {
  for (const [name, count] of Object.entries(counts)) total[name] += count;
};
const check = (ok) => add(ok ? { passed: 1 } : { failed: 1 });

/** Runs a command; its output goes to the terminal, or with `quiet` to a log file only. */
function run(name, command, args, { quiet = false, env = {}, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    });
    let output = '';
    const log = quiet ? fs.createWriteStream(path.join(logs, `${name}.log`)) : undefined;
    for (const stream of quiet ? [child.stdout, child.stderr] : []) {
      stream.setEncoding('utf8').on('data', (data) => {
        output += data;
        log.write(data);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      log?.end();
      resolve({ ok: code === 0, output });
    });
  });
}

const node = (name, file, args, options) => run(name, process.execPath, [file, ...args], options);

/** One more than cores: many tests wait for processes or time limits. */
const workers = os.availableParallelism() + 1;

/** Runs the tests of a project, several files at once with `parallel`. */
async function vitest(project, { files = [], env = {}, parallel = false } = {}) {
  const report = path.join(logs, `${project}.json`);
  fs.rmSync(report, { force: true });
  const { ok } = await node(
    project,
    packageFile('vitest', 'vitest.mjs'),
    [
      ...['run', `--project=${project}`, ...files],
      ...(parallel ? ['--fileParallelism', `--maxWorkers=${workers}`] : []),
      ...['--reporter=default', '--reporter=./test/expected-skips.ts'],
      ...['--reporter=json', `--outputFile.json=${report}`],
    ],
    { env },
  );
  if (!fs.existsSync(report)) return check(false);
  const result = JSON.parse(fs.readFileSync(report, 'utf8'));
  add({
    passed: result.numPassedTests,
    failed: result.numFailedTests,
    skipped: result.numPendingTests + result.numTodoTests,
  });
  // A test file that cannot be loaded has no failed test.
  if (!ok && result.numFailedTests === 0) check(false);
}

/** The sums of all lines "N passed, N failed, N skipped". */
function countsIn(lines) {
  const found = lines
    .map((line) => /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line))
    .filter(Boolean);
  if (found.length === 0) return undefined;
  const sum = (group) => found.reduce((total, counts) => total + Number(counts[group]), 0);
  return { passed: sum(1), failed: sum(2), skipped: sum(3) };
}

async function ctest(name, mode) {
  const { ok, output } = await run(
    name,
    'ctest',
    ['-V', '-C', 'Release', '--no-tests=error', '--parallel', String(os.availableParallelism())],
    { cwd: buildFolder(mode), quiet: true },
  );
  report(
    ok,
    output.split('\n').map((line) => line.replace(/^\d+: /, '')),
  );
}

/** Prints the native tests that failed or were skipped, and counts all of them. */
function report(ok, lines) {
  for (const line of lines.filter((text) => /^(FAILED|skipped) /.test(text))) console.log(line);
  const summary = countsIn(lines);
  if (summary) {
    console.log(`${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`);
    add(summary);
    if (ok || summary.failed > 0) return;
  }
  // Killed by a signal or a sanitizer: the reason is at the end of the output.
  console.log(lines.slice(-60).join('\n'));
  check(false);
}

/** Checks the package that `npm pack` makes: its files, and how its entry points resolve. */
async function testPackage() {
  const folder = fs.mkdtempSync(path.join(logs, 'pack-'));
  try {
    const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
    const packed = await run(
      'pack',
      npm[0],
      [...npm.slice(1), 'pack', '--json', '--pack-destination', folder],
      {
        quiet: true,
      },
    );
    const json = packed.output.slice(packed.output.search(/^[[{]/m));
    const parsed = packed.ok
      ? JSON.parse(json.slice(0, json.lastIndexOf(json[0] === '[' ? ']' : '}') + 1))
      : undefined;
    const info = Array.isArray(parsed) ? parsed[0] : Object.values(parsed ?? {})[0];
    const files = new Set(info?.files?.map((file) => file.path));
    const wanted = [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/main.js',
      'CMakeLists.txt',
      'binding.gyp',
      'cmake/llama.cmake',
      'native/addon.cpp',
      'scripts/install.mjs',
      'vendor/fetch.mjs',
      'vendor/llama.cpp.json',
      'vendor/onednn.json',
      'vendor/llama.cpp/.llamatune-stamp.json',
      'vendor/llama.cpp/LICENSE',
      'vendor/llama.cpp/src/llama.cpp',
      'LICENSE',
      'THIRD_PARTY_NOTICES.md',
    ];
    const missing = wanted.filter((file) => !files.has(file));
    const unwanted = [...files].filter((file) =>
      /^(test|src|tools|build|node_modules|\.|vendor\/llama\.cpp\/(models|common|tests)\/)/.test(
        file,
      ),
    );
    if (missing.length > 0) console.log(`missing in the package: ${missing.join(', ')}`);
    if (unwanted.length > 0)
      console.log(`must not be in the package: ${unwanted.slice(0, 10).join(', ')}`);
    check(packed.ok && missing.length === 0 && unwanted.length === 0);
    if (!packed.ok) return;
    console.log(`${info.filename}: ${files.size} files, ${(info.size / 1e6).toFixed(1)} MB packed`);

    const tarball = path.join(folder, info.filename);
    const publint = path.join(root, 'node_modules', 'publint', 'src', 'cli.js');
    check((await node('publint', publint, ['run', tarball, '--strict'])).ok);
    const attw = packageFile('@arethetypeswrong/cli', 'dist/index.js');
    check((await node('attw', attw, [tarball, '--profile', 'esm-only', '--no-emoji'])).ok);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The first Vulkan device; without a GPU, this is Mesa's software device. */
const vulkanDevice = 'Vulkan0';

/**
 * Runs the device tests on Vulkan: gradient rules, weights of every type, whole models compared with the CPU, generation.
 * First with exact F32 matmuls, where every difference is an error; then with F16 matmuls, as GPUs run them.
 */
async function testVulkan() {
  const { folder } = await buildNative({ mode: 'vulkan', tests: true });
  const tests = path.join(folder, 'llamatune-native-tests');
  const env = { GGML_VK_VISIBLE_DEVICES: '0', ...process.env };
  const { output: devices } = await run('vulkan-devices', tests, ['--devices'], {
    quiet: true,
    env,
  });
  if (!devices.split('\n').includes(vulkanDevice)) {
    throw new BuildError(
      `no Vulkan device was found, only ${devices.split('\n').filter(Boolean).join(', ')}`,
      'Install a driver. Without a GPU, Mesa has one that runs on the CPU. Debian, Ubuntu: ' +
        'sudo apt-get install libvulkan1 mesa-vulkan-drivers; Fedora: sudo dnf install vulkan-loader mesa-vulkan-drivers',
    );
  }
  const models = await run(
    'vulkan-models',
    'ctest',
    ['-C', 'Release', '-R', 'arch-models', '--no-tests=error'],
    {
      cwd: folder,
      quiet: true,
    },
  );
  check(models.ok);
  const runs = [
    [{ GGML_VK_DISABLE_F16: '1' }, ['autodiff/rules', 'autodiff/frozen', 'device/']],
    [{}, ['device/gradients: LoRA', 'device/gradients: small', 'device/generate']],
  ];
  for (const [i, [more, names]] of runs.entries()) {
    const { ok, output } = await run(`vulkan-${i + 1}`, tests, names, {
      quiet: true,
      env: { ...env, LLAMATUNE_TEST_DEVICE: vulkanDevice, ...more },
    });
    report(ok, output.split('\n'));
  }
}

/** Builds the kit for machines with a GPU without a GPU back end, and lets all of its programs run for a moment. */
async function testGpuKit() {
  if (process.platform !== 'linux') {
    console.log('the GPU kit is built on Linux only');
    return add({ skipped: 1 });
  }
  const kit = path.join(logs, 'gpu-kit');
  const results = path.join(logs, 'gpu-kit-results');
  const built = await node('gpu-kit', 'tools/gpu-kit/build.mjs', [
    ...['--backends', 'cpu', '--output', kit],
  ]);
  check(built.ok);
  if (!built.ok) return;
  fs.rmSync(results, { recursive: true, force: true });
  const script = path.join(kit, 'run.sh');
  check(
    (await run('gpu-kit-run', script, ['--device', 'cpu', '--dry-run', '--output', results])).ok,
  );
  const { parts } = JSON.parse(fs.readFileSync(path.join(results, 'results.json'), 'utf8'));
  const numbers = parts.map(({ name, result }) => [
    name,
    result?.tokensPerSecond ??
      result?.generatedTokensPerSecond ??
      result?.passed ??
      result?.models ??
      result?.devices?.length ??
      Number(typeof result?.usable === 'boolean'), // the search for PEFT
  ]);
  const empty = numbers.filter(([, value]) => !(value > 0)).map(([name]) => name);
  if (empty.length > 0) console.log(`parts without a result: ${empty.join(', ')}`);
  check(parts.length >= 5 && empty.length === 0);
}

const steps = {
  lint: async () => check((await node('lint', 'scripts/lint.mjs', [])).ok),
  build: async () => {
    await buildNative({ tests: true });
    buildTypeScript();
    check(true);
  },
  tidy: async () => check((await node('tidy', 'scripts/clang-tidy.mjs', [])).ok),
  unit: () => vitest('unit', { parallel: true }),
  native: () => ctest('native', 'release'),
  integration: async () => {
    await vitest('integration', { parallel: true });
    await vitest('integration-alone');
  },
  // slopes in all batches, where the native tests stop at the first precise one
  slopes: async () => {
    const names = ['is not worse than in docs/architectures.json'];
    const env = { LLAMATUNE_TEST_BATCHES: 'all' };
    const { ok, output } = await run('slopes', nativeTests('release'), names, {
      quiet: true,
      env,
    });
    report(ok, output.split('\n'));
  },
  // other cases every day
  fuzz: async () => {
    const seed = String(Math.floor(Date.now() / 86_400_000));
    check((await node('fuzz', 'tools/fuzz/main.mjs', ['--seed', seed])).ok);
  },
  // more kills than the integration tests have
  kills: () =>
    vitest('integration', {
      files: ['test/integration/kills.test.ts'],
      env: { LLAMATUNE_TEST_KILLS: '20' },
    }),
  smoke: async () =>
    check((await node('smoke', 'dist/cli/main.js', ['test', '--level', 'smoke'])).ok),
  sanitize: async () => {
    await buildNative({ mode: 'sanitize', tests: true });
    await ctest('sanitize', 'sanitize');
  },
  vulkan: testVulkan,
  'gpu-kit': testGpuKit,
  docs: async () => check((await node('docs', 'tools/api-reference/main.mjs', [])).ok),
  package: testPackage,
  prebuild: async () => {
    const made = await node('prebuild', 'scripts/prebuild.mjs', []);
    check(made.ok);
    if (!made.ok) return;
    const model = path.join(root, '.cache', 'test', 'arch-models', 'llama.gguf');
    const { output } = await node('variants', 'test/prebuild/variants.mjs', [model], {
      quiet: true,
    });
    console.log(output.trim());
    const summary = countsIn(output.split('\n'));
    if (summary) add(summary);
    else check(false);
  },
};
const everyday = ['lint', 'build', 'unit', 'native', 'integration'];

const usage = `npm test [-- step …]         ${everyday.join(', ')}; or only the named steps
npm run test:full            all steps: ${Object.keys(steps).join(', ')}`;

function parseArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: { full: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    throw new BuildError(error.message, usage);
  }
  const unknown = parsed.positionals.filter((name) => !Object.hasOwn(steps, name));
  if (unknown.length > 0) throw new BuildError(`unknown step: ${unknown.join(', ')}`, usage);
  return parsed;
}

await runMain(async () => {
  const { values, positionals: named } = parseArguments();
  if (values.help) return console.log(usage);
  const wanted = values.full ? Object.keys(steps) : everyday;
  fs.mkdirSync(logs, { recursive: true });
  for (const name of named.length > 0 ? named : wanted) {
    console.log(`\n── ${name}`);
    const started = Date.now();
    try {
      await steps[name]();
    } catch (error) {
      check(false);
      console.error(error.hint === undefined ? error : `${error.message}\n${error.hint}`);
      if (name === 'build') break;
    }
    console.log(`── ${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  if (total.failed > 0) process.exitCode = 1;
});
