import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConfigProblem, LlamatuneError } from '../errors.js';
import type { Addon, NativeRun } from './addon.js';
import { checkBuildStamp } from './build-stamp.js';
import { probe, probeSync, probing, type UnusableBackend } from './probe.js';
import { abortedError, throwIfAborted } from './run.js';

let loaded: Addon | undefined;
let loading: Promise<Addon> | undefined;
const unusable: UnusableBackend[] = [];

interface Found {
  addon: Addon;
  file: string;
  folder: string;
  /** GPU back ends to probe. */
  gpus: string[];
}

/**
 * The native addon, loaded on first use: a prebuilt binary if there is one for this platform, else the local build. GPU
 * back ends are first loaded in a child process, which takes a moment; `ready()` does not block the event loop meanwhile.
 *
 * @throws LlamatuneError ADDON_NOT_FOUND, ADDON_OUTDATED, with what to do.
 */
export function addon(): Addon {
  loaded ??= withLoadError(() => {
    const found = find();
    const problems = found.gpus.map((gpu) => probeSync(found.file, found.folder, gpu));
    return open(found, problems);
  });
  return loaded;
}

/**
 * Like addon(), without blocking the event loop.
 *
 * @throws LlamatuneError ADDON_NOT_FOUND, ADDON_OUTDATED.
 */
export async function ready(): Promise<Addon> {
  if (loaded !== undefined) return loaded;
  loading ??= load().finally(() => {
    loading = undefined;
  });
  return loading;
}

async function load(): Promise<Addon> {
  const found = withLoadError(find);
  const { file, folder, gpus } = found;
  const problems = await Promise.all(gpus.map((gpu) => probe(file, folder, gpu)));
  loaded ??= withLoadError(() => open(found, problems));
  return loaded;
}

/** Back ends that are not used because loading them crashed or failed. */
export function unusableBackends(): readonly UnusableBackend[] {
  return unusable;
}

function find(): Found {
  const require = createRequire(import.meta.url);
  const locate = require('node-gyp-build') as { path(directory: string): string };
  const file = realpathSync(locate.path(packageRoot()));
  const found = require(file) as Addon;
  checkBuildStamp(found.buildStamp, file, packageRoot());
  const folder = dirname(file);
  // Metal is part of macOS, so it needs no probe.
  const gpus = probing() ? found.gpuBackends(folder).filter((gpu) => gpu !== 'metal') : [];
  return { addon: found, file, folder, gpus };
}

function open({ addon: found, folder, gpus }: Found, problems: (string | undefined)[]): Addon {
  const broken = gpus.filter((_, i) => problems[i] !== undefined);
  found.loadBackends(
    folder,
    found.gpuBackends(folder).filter((gpu) => !broken.includes(gpu)),
  );
  gpus.forEach((backend, i) => {
    const reason = problems[i];
    if (reason === undefined) return;
    unusable.push({ backend, reason });
    process.emitWarning(`the back end ${backend} is not used: ${reason}`, {
      code: 'LLAMATUNE_BACKEND_UNUSABLE',
      detail:
        'A GPU driver may be broken or missing. LLAMATUNE_PROBE=off loads the back end anyway.',
    });
  });
  return found;
}

/** Runs `work`, which finds or loads the addon; its failures become ADDON_NOT_FOUND. */
function withLoadError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const cause = fromNative(error);
    if (cause instanceof LlamatuneError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LlamatuneError(
      'ADDON_NOT_FOUND',
      `cannot load llamatune's native addon for ${process.platform}-${process.arch} under ${packageRoot()}: ` +
        `${reason.split('\n')[0]}`,
      {
        hint:
          `build it with "npm rebuild llamatune" (in a checkout: "npm run build"), which needs a C++17 compiler ` +
          'and CMake 3.18 or newer; in Electron, unpack it from the asar archive (asarUnpack: node_modules/llamatune)',
        cause,
      },
    );
  }
}

/** The folder of the package. This file is two folders below it, both in src/contract and in dist/contract. */
function packageRoot(): string {
  return dirname(dirname(dirname(fileURLToPath(import.meta.url))));
}

/** Converts an error of the addon to a LlamatuneError; returns other values unchanged. */
export function fromNative(error: unknown): unknown {
  if (error instanceof LlamatuneError || !(error instanceof Error)) return error;
  const { code, hint, problems } = error as Error & { [field: string]: unknown };
  if (typeof code !== 'string' || typeof hint !== 'string') return error;
  return new LlamatuneError(code, error.message, {
    hint,
    problems: (problems ?? []) as ConfigProblem[],
    cause: error,
  });
}

/** Calls the addon and turns its errors, thrown or rejected, into LlamatuneErrors. */
export function native<T>(call: (addon: Addon) => T): T {
  const instance = addon();
  try {
    const value = call(instance);
    return value instanceof Promise
      ? (value.catch((error: unknown) => Promise.reject(fromNative(error))) as T)
      : value;
  } catch (error) {
    throw fromNative(error);
  }
}

/** Error codes of an aborted run: RPC_SERVER_LOST if it was waiting for an RPC server. */
const endedByAbort = new Set(['ABORTED', 'RPC_SERVER_LOST']);

/**
 * Waits for a native run, which `signal` aborts; the error then carries the signal's reason.
 */
export async function nativeRun<Result>(
  signal: AbortSignal | undefined,
  start: (addon: Addon) => NativeRun<Result>,
): Promise<Result> {
  throwIfAborted(signal);
  await ready();
  throwIfAborted(signal);
  const run = native(start);
  const abort = () => run.abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await run.result;
  } catch (cause) {
    const error = fromNative(cause);
    const ended = error instanceof LlamatuneError && endedByAbort.has(error.code);
    throw ended && signal?.aborted ? abortedError(signal.reason, error) : error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
