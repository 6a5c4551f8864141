/**
 * Checks the tools that a build from source needs and says how to install them. Plain Node, because it runs before
 * dependencies are installed.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** An expected failure: printed as message and hint, without a stack. */
export class BuildError extends Error {
  constructor(message, hint) {
    super(message);
    this.name = 'BuildError';
    this.hint = hint;
  }
}

const minimumCMake = [3, 18];

function output(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8', windowsHide: true });
  return result.status === 0 ? `${result.stdout}${result.stderr}` : undefined;
}

function hasCompiler() {
  if (process.platform === 'win32') {
    const programFiles = process.env['ProgramFiles(x86)'] ?? 'C:\\Program Files (x86)';
    const vswhere = path.join(programFiles, 'Microsoft Visual Studio', 'Installer', 'vswhere.exe');
    const tools = 'Microsoft.VisualStudio.Component.VC.Tools.x86.x64';
    const found = output(vswhere, [
      '-products',
      '*',
      '-requires',
      tools,
      '-property',
      'installationPath',
    ]);
    return Boolean(found?.trim());
  }
  const wanted = [process.env.CXX?.split(' ')[0], 'c++', 'g++', 'clang++'];
  return wanted.some((name) => name && output(name, ['--version']) !== undefined);
}

function cmakeVersion() {
  const match = /cmake version (\d+)\.(\d+)/.exec(output('cmake', ['--version']) ?? '');
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

const hasMakeProgram = () =>
  process.platform === 'win32' ||
  output('ninja', ['--version']) !== undefined ||
  output('make', ['--version']) !== undefined;

function installHint() {
  switch (process.platform) {
    case 'darwin':
      return 'Install them with: xcode-select --install && brew install cmake';
    case 'win32':
      return (
        'Install them with: winget install Kitware.CMake Git.Git, and the "Desktop development with C++" part of ' +
        'Visual Studio Build Tools: winget install Microsoft.VisualStudio.2022.BuildTools'
      );
    default:
      return (
        'Install them with one of:\n' +
        '  Debian, Ubuntu:  sudo apt-get install build-essential cmake git\n' +
        '  Fedora, RHEL:    sudo dnf install gcc-c++ make cmake git\n' +
        '  Arch:            sudo pacman -S base-devel cmake git\n' +
        '  Alpine:          sudo apk add build-base linux-headers cmake git'
      );
  }
}

/** Throws a BuildError that names all missing tools. */
export function checkTools({ git }) {
  const missing = [];
  if (!hasCompiler()) missing.push('a C++17 compiler');
  if (!hasMakeProgram()) missing.push('make or ninja');
  const version = cmakeVersion();
  if (!version) missing.push('CMake');
  else if (
    version[0] < minimumCMake[0] ||
    (version[0] === minimumCMake[0] && version[1] < minimumCMake[1])
  ) {
    missing.push(`CMake ${minimumCMake.join('.')} or newer (found ${version.join('.')})`);
  }
  if (git && output('git', ['--version']) === undefined) missing.push('git');
  if (missing.length > 0) {
    throw new BuildError(
      `cannot build llamatune from source: missing ${missing.join(', ')}`,
      installHint(),
    );
  }
}

const exists = (file) => fs.existsSync(file);

/**
 * GPU back ends whose hardware is present. CMake then looks for their tools (AUTO), so a machine without them builds for
 * the CPU.
 */
function backendsForThisMachine() {
  if (process.platform !== 'linux') return [];
  const found = [];
  if (exists('/dev/nvidiactl')) found.push('cuda');
  if (exists('/dev/kfd')) found.push('hip');
  if (exists('/dev/dri') && fs.readdirSync('/dev/dri').some((name) => name.startsWith('renderD'))) {
    found.push('vulkan');
  }
  return found;
}

const knownBackends = ['vulkan', 'cuda', 'hip', 'metal'];

/**
 * The LLAMATUNE_<BACKEND> options of CMake from LLAMATUNE_BACKENDS: names separated by commas (the build fails if one cannot
 * be built), 'cpu' for no GPU back end, 'auto' or '' to choose by the hardware.
 */
export function backendOptions(wanted = process.env.LLAMATUNE_BACKENDS ?? '') {
  const names = wanted
    .toLowerCase()
    .split(/[\s,;]+/)
    .filter(Boolean);
  const unknown = names.filter((name) => ![...knownBackends, 'cpu', 'auto'].includes(name));
  if (unknown.length > 0) {
    throw new BuildError(
      `expected LLAMATUNE_BACKENDS to name ${knownBackends.join(', ')}, cpu or auto but received '${unknown.join(', ')}'`,
      'Separate several by commas, e.g. LLAMATUNE_BACKENDS=vulkan,cuda',
    );
  }
  const auto = names.length === 0 || names.includes('auto');
  const options = {};
  const found = auto ? backendsForThisMachine() : [];
  for (const name of knownBackends) {
    let value = auto && name === 'metal' ? 'AUTO' : 'OFF';
    if (found.includes(name)) value = 'AUTO';
    if (names.includes(name)) value = 'ON';
    options[`LLAMATUNE_${name.toUpperCase()}`] = value;
  }
  return options;
}

/** Number of parallel compilers: one per core, fewer if memory is short (each needs about 1.2 GB). */
export function parallelJobs() {
  const jobs = Number(process.env.LLAMATUNE_JOBS);
  if (Number.isInteger(jobs) && jobs > 0) return jobs;
  return Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 1.2e9)));
}
