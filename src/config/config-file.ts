import { readFile } from 'node:fs/promises';
import { LlamatuneError } from '../errors.js';

type Plain = Record<string, unknown>;

/**
 * Reads a configuration from a JSON file; `parseConfig` then checks it. Relative paths in it mean
 * what they mean elsewhere: relative to the working directory.
 *
 * @throws LlamatuneError CONFIG_NOT_FOUND, CONFIG_UNREADABLE, CONFIG_INVALID_JSON.
 */
export async function readConfigFile(path: string): Promise<Plain> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new LlamatuneError(
      missing ? 'CONFIG_NOT_FOUND' : 'CONFIG_UNREADABLE',
      `expected a configuration file at '${path}' but received ${missing ? 'no such file' : (cause as Error).message}`,
      { hint: missing ? 'check the path' : 'check that it is a readable file', cause },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw invalidJson(path, (cause as Error).message, cause);
  }
  if (!isPlain(value)) throw invalidJson(path, Array.isArray(value) ? 'an array' : String(value));
  return value;
}

/** `over` wins over `base`, field by field; arrays and other values are replaced as a whole. */
export function mergeConfig(base: Plain, over: Plain): Plain {
  const merged: Plain = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isPlain(value) && isPlain(below) ? mergeConfig(below, value) : value;
  }
  return merged;
}

function isPlain(value: unknown): value is Plain {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function invalidJson(path: string, received: string, cause?: unknown): LlamatuneError {
  return new LlamatuneError(
    'CONFIG_INVALID_JSON',
    `expected a JSON object in '${path}' but received ${received}`,
    { hint: 'a configuration file holds one JSON object with the options of the call', cause },
  );
}
