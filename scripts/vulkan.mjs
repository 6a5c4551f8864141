/**
 * What building the Vulkan back end needs: Vulkan's headers (newer ones than some releases of Linux have), its loader, the
 * compiler of shaders (glslc) and the headers of SPIR-V. Where they are not installed, Debian's and Ubuntu's packages are
 * fetched into vendor/vulkan, without root and without installing (scripts/apt-packages.mjs); headers, which are nothing
 * but text, from a later release of the same mirror where this release's are too old.
 *
 * vendor/vulkan: include/, lib/, bin/glslc, share/cmake/, licenses/, fetched.json (what it was made from).
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  debianArchitecture,
  download,
  missingAptTool,
  osRelease,
  parsePackage,
  thisSystem,
  unpack,
  withDependencies,
} from './apt-packages.mjs';
import { copyLicenses, makeFolder, readStamp, run } from './fetched-folder.mjs';
import { BuildError } from './tools.mjs';

export const fetchedFolder = fileURLToPath(new URL('../vendor/vulkan', import.meta.url));

/** The first version of Vulkan's headers that has all that ggml uses (VK_EXT_layer_settings). */
export const oldestHeaders = [1, 3, 272];

/** Releases whose headers are new enough, in the order in which they are tried. */
const laterReleases = {
  debian: { bullseye: ['trixie'], bookworm: ['trixie'] },
  ubuntu: { focal: ['noble'], jammy: ['noble'] },
};

/** Came with the compiler. */
const ofTheCompiler = /^(libc6|libgcc-s1|libgcc1|libstdc\+\+6)$/;

/** Is a version like "1.4.309.0-1" new enough? */
export function isNewEnough(version) {
  const parts = (version ?? '').split('.').map(Number.parseFloat);
  for (const [i, oldest] of oldestHeaders.entries()) {
    const part = parts[i] || 0;
    if (part !== oldest) return part > oldest;
  }
  return true;
}

/** The version that a vulkan_core.h says it is of, as "1.4.309"; '' where there is none. */
export function headerVersion(text) {
  const major = /VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION\(0, (\d+), (\d+), /.exec(text);
  const patch = /#define VK_HEADER_VERSION (\d+)/.exec(text);
  return major && patch ? `${major[1]}.${major[2]}.${patch[1]}` : '';
}

/**
 * What this machine lacks for the build, in words; empty where everything is installed.
 *
 * @param {object} [machine] For tests: what stands for this machine.
 */
export function missing({
  prefixes = [process.env.VULKAN_SDK, '/usr/local', '/usr'],
  searchPath = process.env.PATH ?? '',
  exists = fs.existsSync,
  read = (file) => fs.readFileSync(file, 'utf8'),
} = {}) {
  const present = prefixes.filter(Boolean);
  const anywhere = (names) =>
    present.some((prefix) => names.some((name) => exists(path.join(prefix, name))));
  const lacks = [];
  const core = present
    .map((prefix) => path.join(prefix, 'include', 'vulkan', 'vulkan_core.h'))
    .find(exists);
  const version = core ? headerVersion(read(core)) : '';
  if (!isNewEnough(version)) {
    const wanted = `Vulkan's headers, version ${oldestHeaders.join('.')} or newer`;
    lacks.push(version ? `${wanted} (found ${version})` : wanted);
  }
  const folders = ['lib', 'lib64', 'lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu'];
  if (!anywhere(folders.map((folder) => `${folder}/libvulkan.so`))) {
    lacks.push('the library libvulkan.so');
  }
  const programs = [
    ...searchPath.split(path.delimiter),
    ...present.map((p) => path.join(p, 'bin')),
  ];
  if (!programs.some((folder) => folder && exists(path.join(folder, 'glslc')))) {
    lacks.push('the compiler glslc');
  }
  const configurations = ['share', ...folders].map(
    (folder) => `${folder}/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake`,
  );
  if (!anywhere(configurations)) lacks.push('the headers of SPIR-V');
  return lacks;
}

/** glslc finds its library in its own folder, wherever that is moved. */
const glslcScript = `#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/bin/glslc.real" "$@"
`;

/** Fills `target` from the unpacked packages of programs and of headers. */
function layOut(programs, headers, target, packages) {
  const usr = (unpacked, ...names) => path.join(unpacked, 'usr', ...names);
  for (const name of ['vulkan', 'vk_video', 'spirv']) {
    const from = usr(headers, 'include', name);
    fs.cpSync(from, path.join(target, 'include', name), { recursive: true });
  }
  fs.cpSync(usr(headers, 'share', 'cmake'), path.join(target, 'share', 'cmake'), {
    recursive: true,
  });
  fs.mkdirSync(path.join(target, 'lib'), { recursive: true });
  for (const name of fs.readdirSync(usr(programs, 'lib'), { recursive: true })) {
    const file = usr(programs, 'lib', name);
    // "libvulkan.so.1", a link to the file, is the name that the loader looks for
    if (!/\.so\.\d+$/.test(name)) continue;
    const made = path.join(target, 'lib', path.basename(name));
    fs.copyFileSync(fs.realpathSync(file), made);
  }
  fs.mkdirSync(path.join(target, 'bin'), { recursive: true });
  fs.copyFileSync(usr(programs, 'bin', 'glslc'), path.join(target, 'bin', 'glslc.real'));
  fs.writeFileSync(path.join(target, 'bin', 'glslc'), glslcScript, { mode: 0o755 });
  for (const unpacked of [programs, headers]) {
    const texts = packages.map(({ name }) => [
      `${name}.txt`,
      usr(unpacked, 'share', 'doc', name, 'copyright'),
    ]);
    copyLicenses(target, Object.fromEntries(texts));
  }
}

/** The packages of headers, from this release if its own are new enough, else from a later one. */
function downloadHeaders(folder, architecture) {
  const own = osRelease('VERSION_CODENAME');
  const later = laterReleases[osRelease('ID')]?.[own] ?? [];
  let reason = '';
  for (const release of [undefined, ...later]) {
    const got = download(folder, architecture, {
      release,
      missing: `libvulkan-dev ${oldestHeaders.join('.')} or newer, and spirv-headers`,
      choose: (show) => {
        const packages = ['libvulkan-dev', 'spirv-headers'].map((name) => parsePackage(show(name)));
        if (packages.some(({ Package }) => !Package)) return [];
        if (!isNewEnough(packages[0].Version)) return [];
        return packages.map(({ Package, Version }) => ({ name: Package, version: Version }));
      },
    });
    if (got.debs) return got;
    reason = got.reason;
  }
  return { reason };
}

/** Fills `made` with what the build needs; `work` is for what is downloaded. */
function fill(work, made, architecture) {
  const skip = (name) => ofTheCompiler.test(name);
  const programs = download(work, architecture, {
    missing: 'glslc and libvulkan1',
    choose: (show) => {
      const parts = ['glslc', 'libvulkan1'].map((name) => withDependencies(name, show, skip));
      return parts.some((part) => part.length === 0) ? [] : parts.flat();
    },
  });
  if (!programs.debs) return { reason: programs.reason };
  const headers = downloadHeaders(work, architecture);
  if (!headers.debs) return { reason: headers.reason };
  const folders = [programs, headers].map(({ debs }, i) => ({
    debs,
    unpacked: path.join(work, `unpacked-${i}`),
  }));
  for (const { debs, unpacked } of folders) {
    const reason = unpack(debs, unpacked);
    if (reason) return { reason };
  }
  const packages = [...programs.packages, ...headers.packages];
  layOut(folders[0].unpacked, folders[1].unpacked, made, packages);
  const glslc = run(path.join(made, 'bin', 'glslc'), ['--version']);
  if (glslc.status !== 0) return { reason: 'the fetched glslc does not run on this system' };
  return { stamp: { system: thisSystem(), packages } };
}

/**
 * Fetches the packages into `folder`, unless this system's are there already.
 *
 * @returns {{ folder?: string, reason?: string }} The folder, or why there is none.
 */
export function fetchVulkan({ folder = fetchedFolder, log = console.log } = {}) {
  if (readStamp(folder)?.system === thisSystem()) return { folder };
  const architecture = process.platform === 'linux' ? debianArchitecture() : undefined;
  if (!architecture) {
    return { reason: `there are no packages for ${process.platform}-${process.arch}` };
  }
  const tool = missingAptTool();
  if (tool) return { reason: `this system has no ${tool}` };
  const what = "Vulkan's headers and shader compiler (15 MB)";
  return makeFolder(folder, { what, log, fill: (work, made) => fill(work, made, architecture) });
}

/** How to install what the build needs. */
export const installHint =
  'Install them and build again. Debian 13, Ubuntu 24.04 and newer: sudo apt-get install libvulkan-dev glslc spirv-headers; ' +
  'Fedora: sudo dnf install vulkan-devel glslc spirv-headers-devel; ' +
  'Arch: sudo pacman -S vulkan-headers vulkan-icd-loader shaderc spirv-headers; ' +
  "elsewhere: LunarG's Vulkan SDK, with VULKAN_SDK set to its folder";

/**
 * CMake's options about what Vulkan needs: none where it is installed, else where it was fetched to.
 *
 * @param {'ON' | 'OFF' | 'AUTO' | ''} wanted LLAMATUNE_VULKAN: ON is an error where it cannot be had, AUTO a warning.
 */
export function vulkanOptions(
  wanted,
  { platform = process.platform, lacks = missing, fetch = fetchVulkan, warn = console.warn } = {},
) {
  const names = [
    'Vulkan_INCLUDE_DIR',
    'Vulkan_LIBRARY',
    'Vulkan_GLSLC_EXECUTABLE',
    'SPIRV-Headers_DIR',
  ];
  if (platform !== 'linux' || !['ON', 'AUTO'].includes(wanted)) return {};
  const what = lacks();
  if (what.length === 0) return {};
  const { folder, reason } = fetch();
  if (folder) {
    const files = ['include', 'lib/libvulkan.so.1', 'bin/glslc', 'share/cmake/SPIRV-Headers'];
    return Object.fromEntries(names.map((name, i) => [name, path.join(folder, files[i])]));
  }
  const problem = `the Vulkan back end needs ${what.join(', ')}, which could not be fetched: ${reason}`;
  if (wanted === 'ON') throw new BuildError(problem, installHint);
  warn(`llamatune: ${problem}.\nllamatune: The build continues without it. ${installHint}.`);
  return {};
}
