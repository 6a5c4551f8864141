// Builds and runs the benchmark of the vendored llama.cpp, for one prompt and the tokens after it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/native-build.mjs';
import { BuildError, backendOptions, checkTools, parallelJobs } from '../../scripts/tools.mjs';

const folder = path.join(root, 'build', 'llama-bench');
const program = path.join(
  folder,
  'bin',
  process.platform === 'win32' ? 'llama-bench.exe' : 'llama-bench',
);

function cmake(...args) {
  const { status, stdout, stderr, error } = spawnSync('cmake', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status === 0) return;
  const output = error?.message ?? `${stdout}${stderr}`.split('\n').slice(-25).join('\n');
  throw new BuildError(`llama-bench could not be built:\n${output}`);
}

/** Builds llama-bench with the patches, back ends and compiler settings of the addon. */
export function buildLlamaBench(onBuild = () => {}) {
  if (!existsSync(path.join(root, 'vendor', 'llama.cpp', 'tools', 'llama-bench'))) {
    throw new BuildError(
      'the source of llama-bench is missing',
      'It comes with the source of llama.cpp: run node vendor/fetch.mjs in a checkout of the repository.',
    );
  }
  if (!existsSync(program)) {
    onBuild();
    checkTools({ git: false });
    mkdirSync(folder, { recursive: true });
  }
  const definitions = {
    CMAKE_BUILD_TYPE: 'Release',
    LLAMATUNE_LLAMA_BENCH: 'ON',
    LLAMATUNE_ONEDNN: 'OFF', // llama-bench does not use the accelerator
    LLAMATUNE_OUTPUT_DIR: path.join(folder, 'bin'),
    ...backendOptions(),
  };
  if (!existsSync(path.join(folder, 'CMakeCache.txt'))) {
    const defined = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
    cmake('-S', root, '-B', folder, ...defined);
  }
  const jobs = String(parallelJobs());
  cmake('--build', folder, '--config', 'Release', '--target', 'llama-bench', '--parallel', jobs);
}

/**
 * Runs llama-bench with its default settings, except for the threads: automatic flash attention, 512 tokens per pass,
 * weights repacked for the CPU, one warm-up of each test.
 *
 * @returns tokens per second of the prompt, of the generation after it, and of a generation without a prompt
 */
export function runLlamaBench({ path: model, prompt, tokens, threads }) {
  const common = ['-m', model, '-t', String(threads), '-r', '1', '-o', 'jsonl'];
  const test = (...args) => {
    const { status, stdout, stderr } = spawnSync(program, [...common, ...args], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`llama-bench failed: ${stderr.trim().split('\n').at(-1)}`);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).avg_ts);
  };
  const [promptRate] = test('-p', String(prompt), '-n', '0');
  const [alone, after] = test('-p', '0', '-n', String(tokens), '-d', `0,${prompt}`);
  return { prompt: promptRate, generation: after, generationAlone: alone };
}
