/**
 * The CUDA compiler and cuBLAS, from the pinned wheels of cuda.json. Nothing is installed: vendor/cuda becomes a toolkit
 * folder as CMake expects it. The machine needs no GPU and no driver.
 */
import fs from 'node:fs';
import path from 'node:path';
import { copyLicenses, makeFolder, readStamp, run } from '../../scripts/fetched-folder.mjs';
import { root } from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';
import { fetchWheels } from '../../scripts/wheels.mjs';

const folder = path.join(root, 'vendor', 'cuda');
const pin = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, 'cuda.json'), 'utf8'));

/** Wheels have no links without a version, which the linker looks for, and name lib64 "lib". */
function addLinks(toolkit) {
  const lib = path.join(toolkit, 'lib');
  for (const name of ['cublas', 'cublasLt']) {
    const versioned = fs.readdirSync(lib).find((file) => file.startsWith(`lib${name}.so.`));
    fs.symlinkSync(versioned, path.join(lib, `lib${name}.so`));
  }
  fs.symlinkSync('lib', path.join(toolkit, 'lib64'));
}

/**
 * The driver's library comes with the driver and not with a package, so link against an empty one of the same name that has
 * the functions that ggml calls.
 *
 * @returns {string | undefined} Why that failed.
 */
function makeDriverStub(toolkit, work) {
  const source = path.join(work, 'driver.c');
  fs.writeFileSync(source, pin.driverFunctions.map((name) => `void ${name}(void) {}\n`).join(''));
  const stubs = path.join(toolkit, 'lib', 'stubs');
  fs.mkdirSync(stubs, { recursive: true });
  const library = path.join(stubs, 'libcuda.so');
  const args = ['-shared', '-fPIC', '-Wl,-soname,libcuda.so.1', '-o', library, source];
  const { status, stderr, error } = run('cc', args);
  return status === 0 ? undefined : `the driver's stub was not linked: ${error?.message ?? stderr}`;
}

function fill(work, made) {
  const { unpacked, reason } = fetchWheels(pin.packages, work);
  if (reason) return { reason };
  const wheels = fs.readdirSync(unpacked).filter((name) => name.endsWith('.dist-info'));
  copyLicenses(
    made,
    Object.fromEntries(
      wheels.map((name) => [
        `${name.split('-')[0]}.txt`,
        path.join(unpacked, name, 'licenses', 'License.txt'),
      ]),
    ),
  );
  const toolkit = path.join(unpacked, 'nvidia', 'cu13');
  for (const programs of ['bin', 'nvvm/bin']) {
    for (const entry of fs.readdirSync(path.join(toolkit, programs), { withFileTypes: true })) {
      if (entry.isFile()) fs.chmodSync(path.join(toolkit, programs, entry.name), 0o755);
    }
  }
  addLinks(toolkit);
  const problem = makeDriverStub(toolkit, work);
  if (problem) return { reason: problem };
  for (const name of fs.readdirSync(toolkit)) {
    fs.renameSync(path.join(toolkit, name), path.join(made, name));
  }
  return { stamp: pin };
}

/** The toolkit's folder; downloads it (500 MB) unless it is there. Throws a BuildError if it cannot be downloaded. */
export function cudaToolkit() {
  if (JSON.stringify(readStamp(folder)) === JSON.stringify(pin)) return folder;
  if (`${process.platform}-${process.arch}` !== 'linux-x64') {
    throw new BuildError(
      `no CUDA packages are pinned for ${process.platform}-${process.arch}`,
      'Build the kit on Linux on an x86-64 machine, or use --without-cuda.',
    );
  }
  const made = makeFolder(folder, { what: `${pin.name} ${pin.version} (500 MB)`, fill });
  if (made.folder) return made.folder;
  throw new BuildError(
    `CUDA could not be fetched: ${made.reason}`,
    'Check the network, or use --without-cuda.',
  );
}

/** CMake's options for a CUDA back end compiled with this toolkit. */
export function cudaOptions(toolkit, architectures) {
  return {
    LLAMATUNE_CUDA: 'ON',
    LLAMATUNE_NVCC: path.join(toolkit, 'bin', 'nvcc'),
    CUDAToolkit_ROOT: toolkit,
    CMAKE_CUDA_COMPILER: path.join(toolkit, 'bin', 'nvcc'),
    CMAKE_CUDA_ARCHITECTURES: architectures,
    // The static runtime, so that the kit needs only cuBLAS and the driver on the other machine.
    CUDA_CUDART: path.join(toolkit, 'lib', 'libcudart_static.a'),
    CUDA_cudart_LIBRARY: path.join(toolkit, 'lib', 'libcudart_static.a'),
    GGML_CUDA_NCCL: 'OFF',
    GGML_CUDA_FA: 'OFF',
    LLAMATUNE_CUDA_FEWER_KERNELS: 'ON', // see cmake/gpu-kit.cmake
    // The kit is compressed as a whole, which takes half of the space.
    GGML_CUDA_COMPRESSION_MODE: 'none',
  };
}
