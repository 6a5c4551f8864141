/**
 * node tools/gpu-kit/build.mjs: builds a folder that checks and measures llamatune on a machine with a GPU. That machine
 * needs a driver and, for CUDA, cuBLAS, but no compiler, no Node and no network; this one needs no GPU.
 * docs/testing-devices.md says how to use it.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative, root, runMain } from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';
import { flopPerToken, shapes, targetsOf } from '../bench-training/shapes.mjs';
import { cudaOptions, cudaToolkit } from './cuda.mjs';

const usage = `node tools/gpu-kit/build.mjs [options]

  --backends a,b        GPU back ends   (cuda,vulkan; none: cpu)
  --architectures a;b   CUDA architectures as CMake names them   (90: H100 and H200, and PTX for later ones)
  --output path         folder of the kit   (build/gpu-kit)`;

/** The largest kit, in bytes, so that it can be copied anywhere. */
const largestKit = 48 * 2 ** 20;

const programs = ['llamatune-native-tests', 'llamatune-gpu-bench', 'make-arch-models'];
const kitShapes = ['qwen3-0.6b', 'llama3.1-8b', 'tiny'];
const rank = 8;

function options() {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      backends: { ...text, default: 'cuda,vulkan' },
      architectures: { ...text, default: '90' },
      output: { ...text, default: path.join(root, 'build', 'gpu-kit') },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return values;
}

function run(command, args, options = {}) {
  const settings = { encoding: 'utf8', maxBuffer: 1 << 28, ...options };
  const { status, stdout, stderr, error } = spawnSync(command, args, settings);
  if (status === 0) return stdout;
  throw new BuildError(`${command} failed: ${error?.message ?? stderr.trim()}`);
}

/** The version of the sources: the commit if there is a checkout. */
function version() {
  const { version: released } = JSON.parse(
    fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
  );
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], {
    cwd: root,
    encoding: 'utf8',
  });
  return status === 0 ? `${released} ${stdout.trim()}` : released;
}

/** The shapes with what the native benchmark and peft-bench.py need to know about them. */
function shapesFile() {
  const described = kitShapes.map((name) => {
    const { vocabulary: _, ...shape } = shapes[name];
    const base = flopPerToken(shape, { rank, targetShare: 0 });
    return [
      name,
      {
        tieEmbeddings: true,
        ...shape,
        targets: targetsOf(shape),
        rank,
        flopPerToken: base,
        flopPerTarget: flopPerToken(shape, { rank, targetShare: 1 }) - base,
      },
    ];
  });
  return JSON.stringify(Object.fromEntries(described), null, 2);
}

/** Compares versions like 2.34. */
const byVersion = (a, b) => a.localeCompare(b, 'en', { numeric: true });

/** The highest version of a family of symbols (GLIBC, GLIBCXX) that a binary requires. */
function highestVersion(file, family) {
  const found = run('objdump', ['-T', file]).matchAll(new RegExp(`\\b${family}_([\\d.]+)`, 'g'));
  return [...found]
    .map(([, version]) => version)
    .sort(byVersion)
    .at(-1);
}

/** Copies a binary without its symbols. */
function copyStripped(from, to) {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  run('strip', ['--strip-unneeded', '-o', to, from]);
}

function sizeOf(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + fs.statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

/** Copies the programs and libraries to `staging`: bin, and one folder for each GPU back end. */
function stage(bin, staging, backends) {
  fs.rmSync(staging, { recursive: true, force: true });
  const libraries = fs.readdirSync(bin).filter((name) => name.endsWith('.so'));
  for (const name of [...programs, ...libraries]) {
    const backend = backends.find((each) => name === `libggml-${each}.so`);
    // Each GPU back end has its own folder, because a program loads all back ends that are next to it.
    copyStripped(path.join(bin, name), path.join(staging, backend ?? 'bin', name));
  }
  const loader = path.join(root, 'vendor', 'vulkan', 'lib', 'libvulkan.so.1');
  if (backends.includes('vulkan') && fs.existsSync(loader)) {
    copyStripped(loader, path.join(staging, 'vulkan-loader', 'libvulkan.so.1'));
  }
}

/** Fills the kit: the compressed programs, the scripts, and the data that they read. */
function pack(staging, kit) {
  fs.rmSync(kit, { recursive: true, force: true });
  fs.mkdirSync(path.join(kit, 'docs'), { recursive: true });
  // With one dictionary for all files, since compiled kernels of different types have much in common.
  const archive = path.join(kit, 'programs.tar');
  run('tar', ['-C', staging, '-cf', archive, '.']);
  run('xz', ['-6', '--threads=1', archive]);
  const files = {
    'run.sh': path.join(import.meta.dirname, 'run.sh'),
    'peft-bench.py': path.join(root, 'scripts', 'peft-bench.py'),
    'docs/architectures.json': path.join(root, 'docs', 'architectures.json'), // tests read it
  };
  for (const [name, from] of Object.entries(files)) fs.copyFileSync(from, path.join(kit, name));
  fs.chmodSync(path.join(kit, 'run.sh'), 0o755);
  fs.writeFileSync(path.join(kit, 'shapes.json'), shapesFile());
  fs.writeFileSync(path.join(kit, 'version'), `${version()}\n`);
}

/** Libraries that a program or library needs and that are not found in `folders` or on this machine. */
function missingLibraries(file, folders) {
  const env = { ...process.env, LC_ALL: 'C', LD_LIBRARY_PATH: folders.join(path.delimiter) };
  const lines = run('ldd', [file], { env }).split('\n');
  return lines
    .filter((line) => line.includes('not found'))
    .map((line) => line.trim().split(' ')[0])
    .filter((name) => name !== 'libcuda.so.1'); // comes with the driver
}

/** Checks that all programs and libraries can be loaded, and prints what the other machine needs for that. */
function checkPrograms(staging, toolkit) {
  const files = fs
    .readdirSync(staging, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      fs.readdirSync(path.join(staging, name)).map((file) => path.join(staging, name, file)),
    );
  const folders = [path.join(staging, 'bin'), path.join(staging, 'vulkan-loader')];
  if (toolkit) folders.push(path.join(toolkit, 'lib'));
  for (const file of files) {
    const missing = missingLibraries(file, folders);
    if (missing.length > 0) throw new BuildError(`${file} lacks ${missing.join(', ')}`);
  }
  for (const family of ['GLIBC', 'GLIBCXX']) {
    const versions = files.map((file) => highestVersion(file, family)).filter(Boolean);
    console.log(`llamatune: the kit needs ${family} ${versions.sort(byVersion).at(-1)} or newer`);
  }
}

function checkSize(kit) {
  const size = sizeOf(kit);
  console.log(`llamatune: ${path.relative(root, kit)} is ${(size / 2 ** 20).toFixed(1)} MiB`);
  if (size <= largestKit) return;
  throw new BuildError(
    `the kit is larger than ${largestKit / 2 ** 20} MiB`,
    'Build it with fewer back ends (--backends cuda) or architectures.',
  );
}

await runMain(async () => {
  const { help, backends: list, architectures, output } = options();
  if (help) return console.log(usage);
  const backends = list.split(',').filter((name) => name !== 'cpu');
  const toolkit = backends.includes('cuda') ? cudaToolkit() : undefined;
  const built = await buildNative({
    mode: backends.length > 0 ? 'gpuKit' : 'gpuKitCpu',
    tests: true,
    backends: list,
    programs: programs.slice(1),
    more: toolkit ? cudaOptions(toolkit, architectures) : {},
  });
  const kit = path.resolve(output);
  const staging = path.join(built.folder, 'staging');
  stage(built.output, staging, backends);
  checkPrograms(staging, toolkit);
  pack(staging, kit);
  checkSize(kit);
});
