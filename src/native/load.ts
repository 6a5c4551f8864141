import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LlamatuneError } from '../errors.js';
import type { Addon } from './addon-types.js';
import { abortedError } from './run.js';

let loaded: Addon | undefined;

/**
 * The native addon, loaded on first use: a prebuilt binary where one fits, else what the build left.
 *
 * @throws LlamatuneError ADDON_NOT_FOUND, with what to do.
 */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const require = createRequire(import.meta.url);
  const root = packageRoot();
  try {
    const find = require('node-gyp-build') as { path(directory: string): string };
    const file = realpathSync(find.path(root));
    const found = require(file) as Addon;
    found.loadBackends(dirname(file));
    return found;
  } catch (error) {
    const cause = fromNative(error);
    if (cause instanceof LlamatuneError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LlamatuneError(
      'ADDON_NOT_FOUND',
      `expected llamatune's native addon for ${process.platform}-${process.arch} under ${root} ` +
        `but it could not be loaded: ${reason.split('\n')[0]}`,
      {
        hint:
          `build it with "npm rebuild llamatune" (in a checkout: "npm run build"), which needs a C++17 compiler ` +
          'and CMake 3.18 or newer; in Electron, unpack it from the asar archive (asarUnpack: node_modules/llamatune)',
        cause,
      },
    );
  }
}

/** The package's folder: this file lies two folders below it, in src/native and in dist/native alike. */
export function packageRoot(): string {
  return dirname(dirname(dirname(fileURLToPath(import.meta.url))));
}

/** An error of the addon as a LlamatuneError; everything else unchanged. */
export function fromNative(error: unknown): unknown {
  if (error instanceof LlamatuneError || !(error instanceof Error)) return error;
  const { code, hint } = error as Error & { code?: unknown; hint?: unknown };
  if (typeof code !== 'string' || typeof hint !== 'string') return error;
  return new LlamatuneError(code, error.message, { hint, cause: error });
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

/**
 * Waits for a native run that ends early when `signal` is aborted; the error then carries the signal's reason.
 */
export async function nativeRun<Result>(
  signal: AbortSignal | undefined,
  start: (addon: Addon) => { result: Promise<Result>; abort(): void },
): Promise<Result> {
  if (signal?.aborted) throw abortedError(signal.reason);
  const run = native(start);
  const abort = () => run.abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await run.result;
  } catch (cause) {
    const error = fromNative(cause);
    throw error instanceof LlamatuneError && error.code === 'ABORTED' && signal?.aborted
      ? abortedError(signal.reason)
      : error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
