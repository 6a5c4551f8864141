import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Language } from '../config/verifier.js';
import { LlamatuneError, reasonOf } from '../errors.js';
import { ask, findProgram, prefixesOf, prefixOf } from './find-program.js';
import { LANGUAGES } from './languages.js';

/** How to compile and run programs in a language with the tools of this machine. */
export interface Toolchain {
  /** Files and folders that the tools read, outside of the system's own. */
  readable: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** Further files that the tools need in the box, by name. */
  files?: Readonly<Record<string, string>>;
  /** The commands that check source files, and make a program of them if `program` is a path. */
  compile: (given: CompileJob) => readonly (readonly string[])[];
  /** The command that runs the program, or the source file in a language without compiled programs. */
  run: (program: string, source: string) => readonly string[];
  /** Whether the compiler and the programs reserve far more address space than they use. */
  reservesMemory: { compiler: boolean; program: boolean };
}

export interface CompileJob {
  /** Paths; the first is that of the main file. */
  sources: readonly string[];
  /** A folder for files of the compiler. */
  box: string;
  program: string | null;
  /** Further arguments of the compiler. */
  flags: readonly string[];
}

const windows = process.platform === 'win32';
const compiled = { compiler: false, program: false };

const FINDERS: Readonly<Record<Language, () => Promise<Toolchain | undefined>>> = {
  c: async () => nativeToolchain(['gcc', 'clang', 'cc'], '-std=c17'),
  cpp: async () => nativeToolchain(['g++', 'clang++', 'c++'], '-std=c++20'),
  rust: rustToolchain,
  go: goToolchain,
  typescript: typescriptToolchain,
  python: pythonToolchain,
};

const TO_INSTALL: Readonly<Record<Language, string>> = {
  c: 'install gcc or clang, so that PATH has gcc, clang or cc',
  cpp: 'install g++ or clang, so that PATH has g++, clang++ or c++',
  rust: 'install Rust (https://rustup.rs), so that PATH has rustc',
  go: 'install Go (https://go.dev/dl), so that PATH has go',
  typescript: 'install TypeScript next to your project: npm install typescript',
  python: 'install Python 3, so that PATH has python3 or python',
};

/**
 * Finds the tools of a language.
 *
 * @throws LlamatuneError TOOLCHAIN_NOT_FOUND
 */
export async function findToolchain(language: Language): Promise<Toolchain> {
  let toolchain: Toolchain | undefined;
  let cause: unknown;
  try {
    toolchain = await FINDERS[language]();
  } catch (error) {
    cause = error;
  }
  if (toolchain !== undefined) return toolchain;
  const { title } = LANGUAGES[language];
  const message =
    cause === undefined
      ? `no tools for ${title} were found`
      : `the tools for ${title} do not work: ${reasonOf(cause)}`;
  throw new LlamatuneError('TOOLCHAIN_NOT_FOUND', message, {
    hint: TO_INSTALL[language],
    ...(cause === undefined ? {} : { cause }),
  });
}

function nativeToolchain(names: readonly string[], standard: string): Toolchain | undefined {
  const compiler = findProgram(names);
  if (compiler === undefined) return undefined;
  return {
    readable: prefixesOf(compiler),
    compile: ({ sources, box, program, flags }) => [
      [
        ...[compiler, standard, '-O1', '-w', ...flags, sources[0]!],
        ...(program === null ? ['-c', '-o', join(box, 'checked.o')] : ['-o', program]),
      ],
    ],
    run: (program) => [program],
    reservesMemory: compiled,
  };
}

async function rustToolchain(): Promise<Toolchain | undefined> {
  const shim = findProgram(['rustc']);
  if (shim === undefined) return undefined;
  const sysroot = await ask(shim, ['--print', 'sysroot']);
  const rustc = join(sysroot, 'bin', windows ? 'rustc.exe' : 'rustc');
  return {
    readable: [sysroot],
    compile: ({ sources, box, program, flags }) => [
      [
        ...[rustc, '--edition=2021', '--cap-lints=allow', ...flags, sources[0]!],
        ...(program === null
          ? ['--crate-type=lib', '--emit=metadata', '--out-dir', box]
          : ['-o', program]),
      ],
    ],
    run: (program) => [program],
    reservesMemory: compiled,
  };
}

/** Time to compile the standard library, once on a machine. */
const GO_LIBRARY_MS = 10 * 60_000;

/**
 * Compiler and linker are called directly: `go build` writes to its cache, which the sandbox does not allow. The compiled
 * packages of the standard library come from that cache.
 */
async function goToolchain(): Promise<Toolchain | undefined> {
  const go = findProgram(['go']);
  if (go === undefined) return undefined;
  const [tools = '', root = '', cache = ''] = (
    await ask(go, ['env', 'GOTOOLDIR', 'GOROOT', 'GOCACHE'])
  ).split(/\r?\n/);
  const packages = await ask(
    go,
    [
      'list',
      '-export',
      '-f',
      '{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}',
      'std',
    ],
    GO_LIBRARY_MS,
  );
  const tool = (name: string) => join(tools, windows ? `${name}.exe` : name);
  const config = 'importcfg';
  return {
    readable: [root, cache],
    environment: { GOROOT: root },
    files: { [config]: packages },
    compile: ({ sources, box, program, flags }) => {
      const [object, packages] = [join(box, 'main.o'), ['-importcfg', join(box, config)]];
      const compile = ['-p', 'main', '-complete', ...packages, ...flags, '-o', object, ...sources];
      const link = program === null ? [] : [[tool('link'), ...packages, '-o', program, object]];
      return [[tool('compile'), ...compile], ...link];
    },
    run: (program) => [program],
    reservesMemory: { compiler: true, program: true },
  };
}

/** What programs use of Node. Its own types are not available to them, and those of browsers take seconds to read. */
const NODE_TYPES = `declare const console: { [name: string]: (...values: unknown[]) => void };
declare const process: any;
declare const require: any;
declare const module: any;
declare function setTimeout(run: (...values: any[]) => void, ms?: number, ...values: any[]): any;
declare function clearTimeout(timer: any): void;
declare function setInterval(run: (...values: any[]) => void, ms?: number, ...values: any[]): any;
declare function clearInterval(timer: any): void;
declare function structuredClone<T>(value: T): T;
${['assert', 'buffer', 'events', 'fs', 'os', 'path', 'perf_hooks', 'readline', 'util']
  .map((name) => `declare module '${name}';\ndeclare module 'node:${name}';`)
  .join('\n')}
`;

async function typescriptToolchain(): Promise<Toolchain | undefined> {
  const folder = typescriptFolder();
  const node = findProgram(['node']) ?? process.execPath;
  if (folder === undefined) return undefined;
  const modules = /^.*?[\\/]node_modules(?=[\\/])/.exec(folder)?.[0] ?? folder;
  const options = [
    ...['--target', 'es2022', '--lib', 'es2023', '--module', 'esnext'],
    ...['--moduleResolution', 'bundler'],
  ];
  return {
    readable: [modules, ...prefixesOf(node)],
    files: { 'package.json': '{ "type": "module" }', 'node.d.ts': NODE_TYPES },
    compile: ({ sources, box, program, flags }) => [
      [
        ...[node, join(folder, 'bin', 'tsc'), ...options, '--pretty', 'false', ...flags],
        ...(program === null ? ['--noEmit'] : ['--outDir', box]),
        ...[join(box, 'node.d.ts'), ...sources],
      ],
    ],
    run: (_, source) => [node, source.replace(/\.ts$/, '.js')],
    reservesMemory: { compiler: true, program: true },
  };
}

/** The folder of the package typescript, as the working directory or PATH has it. */
function typescriptFolder(): string | undefined {
  try {
    const resolve = createRequire(join(process.cwd(), 'package.json'));
    return realpathSync(dirname(resolve.resolve('typescript/package.json')));
  } catch {
    const tsc = findProgram(['tsc']);
    return tsc === undefined ? undefined : prefixOf(tsc);
  }
}

/** Compiles source files without running them. */
const PYTHON_CHECK = `import sys
for path in sys.argv[1:]:
    compile(open(path, encoding='utf-8').read(), path, 'exec')`;

async function pythonToolchain(): Promise<Toolchain | undefined> {
  const found = findProgram(['python3', 'python']);
  if (found === undefined) return undefined;
  const script = 'import sys; print(sys.executable, sys.prefix, sys.base_prefix, sep="\\n")';
  const [python = '', ...prefixes] = (await ask(found, ['-c', script])).split(/\r?\n/);
  return {
    readable: [...prefixes, ...prefixesOf(python)],
    environment: { PYTHONIOENCODING: 'utf-8' },
    compile: ({ sources, flags }) => [
      [python, '-B', '-s', ...flags, '-c', PYTHON_CHECK, ...sources],
    ],
    run: (_, source) => [python, '-B', '-s', source],
    reservesMemory: compiled,
  };
}
