/**
 * npm test -- tidy: clang-tidy over native/, with the checks of .clang-tidy. The binary is a pinned package that pip
 * downloads; the flags are those of the build, which has to be configured.
 *
 *     node scripts/clang-tidy.mjs [file …]
 */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildFolder, root, runMain } from './native-build.mjs';
import { BuildError } from './tools.mjs';
import { fetchWheels } from './wheels.mjs';

const version = '23.1.4';
const pin = {
  package: `clang-tidy==${version}`,
  sha256: [
    '6bb31e4f319ecbe14acb75f23c3050d0f1d4b1d92ea1c66091bc76e4eac2c1ac', // Linux x86-64
    '87596cd77dedfdea23ced1d13e57e869dcaee99745bfe942796196da3c197671', // Linux arm64
    '08e977575e9f800c1c806f2001a3cdfd01323491aec05e86dd24be9a5c2585f4', // macOS arm64
    '8107e05930f53dc477dbb5fb8108d7c10464176fc95d3e58f4ee7317887aed59', // Windows x86-64
  ],
};
const folder = path.join(root, '.cache', 'clang-tidy');

/** The path of the pinned binary, downloaded if it is missing. */
function clangTidy() {
  const target = path.join(folder, version);
  const name = process.platform === 'win32' ? 'clang-tidy.exe' : 'clang-tidy';
  const binary = path.join(target, 'clang_tidy', 'data', 'bin', name);
  if (fs.existsSync(binary)) return binary;
  fs.mkdirSync(folder, { recursive: true });
  const work = fs.mkdtempSync(path.join(folder, 'fetch-'));
  try {
    console.log(`llamatune: fetching clang-tidy ${version}`);
    const { unpacked, reason } = fetchWheels([pin], work);
    if (reason) {
      throw new BuildError(
        `clang-tidy could not be fetched: ${reason}`,
        'It needs Python with pip: on Debian and Ubuntu sudo apt-get install python3-pip',
      );
    }
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(unpacked, target);
    fs.chmodSync(binary, 0o755);
    return binary;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Writes the build's compile commands of native/ for clang-tidy: vendored headers count as system headers, which are not
 * checked, and the compiler's omp.h is put where clang finds it.
 */
function compileCommands() {
  const file = path.join(buildFolder('release'), 'compile_commands.json');
  if (!fs.existsSync(file)) {
    throw new BuildError('the build has no compile_commands.json', 'Run npm run build first.');
  }
  const include = path.join(folder, 'include');
  fs.mkdirSync(include, { recursive: true });
  const compiler = process.env.CXX ?? 'c++';
  const { stdout } = spawnSync(compiler, ['-print-file-name=include/omp.h'], { encoding: 'utf8' });
  const omp = stdout?.trim() ?? '';
  if (path.isAbsolute(omp)) fs.copyFileSync(omp, path.join(include, 'omp.h'));
  const native = path.join(root, 'native') + path.sep;
  const vendor = path.join(root, 'vendor') + path.sep;
  const commands = JSON.parse(fs.readFileSync(file, 'utf8'))
    .filter((entry) => entry.file.startsWith(native) && fs.existsSync(entry.file))
    .map((entry) => ({
      ...entry,
      command: `${entry.command
        .replace(/^\S*ccache\S* /, '')
        .replaceAll(`-I${vendor}`, `-isystem ${vendor}`)
        .replace(' -fopenmp', '')} -isystem ${include}`,
    }));
  fs.writeFileSync(path.join(folder, 'compile_commands.json'), JSON.stringify(commands));
  return [...new Set(commands.map((entry) => entry.file))];
}

/** Checks some files; resolves to the output of clang-tidy, or '' if it found no problem. */
function check(binary, files) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ['--quiet', '-p', folder, ...files], { cwd: root });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (data) => {
      output += data;
    });
    child.stderr.setEncoding('utf8').on('data', (data) => {
      errors += data;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0 ? '' : output || errors));
  });
}

await runMain(async () => {
  const binary = clangTidy();
  const named = process.argv.slice(2).map((file) => path.resolve(file));
  const all = compileCommands();
  const files = named.length > 0 ? all.filter((file) => named.includes(file)) : all;
  if (files.length === 0)
    throw new BuildError('none of these files is in the build', named.join(', '));
  // Four files per process: fewer would load the binary too often, more would leave cores idle at the end.
  const slices = [];
  for (let i = 0; i < files.length; i += 4) slices.push(files.slice(i, i + 4));
  const started = Date.now();
  let failed = false;
  const worker = async () => {
    for (let slice = slices.shift(); slice; slice = slices.shift()) {
      const problems = await check(binary, slice);
      if (problems) console.log(problems);
      failed = failed || problems !== '';
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(`clang-tidy: ${files.length} files in ${seconds} s`);
  if (failed) process.exitCode = 1;
});
