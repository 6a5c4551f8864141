import { readFileSync } from 'node:fs';
import { LlamatuneError } from '../errors.js';

export type JsonObject = Record<string, unknown>;

/**
 * Reads a configuration file: one JSON object with the options of the call, named as in the API. Relative paths in it
 * are relative to the working directory, as on the command line.
 *
 * @throws LlamatuneError CONFIG_NOT_FOUND, CONFIG_UNREADABLE, CONFIG_INVALID_JSON
 */
export function readConfigFile(path: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new LlamatuneError(
      missing ? 'CONFIG_NOT_FOUND' : 'CONFIG_UNREADABLE',
      missing
        ? `configuration file not found: ${path}`
        : `cannot read the configuration file ${path}: ${(cause as Error).message}`,
      { hint: missing ? 'check the path' : 'check that it is a file and its permissions', cause },
    );
  }
  let value: unknown;
  try {
    // Some editors write a byte-order mark first.
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw invalid(path, (cause as Error).message, cause);
  }
  if (isObject(value)) return value;
  throw invalid(path, Array.isArray(value) ? 'an array' : String(value));
}

/** Merges `over` into `base` field by field; arrays and other values are replaced as a whole. */
export function mergeConfig(base: JsonObject, over: JsonObject): JsonObject {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const current = merged[key];
    merged[key] = isObject(value) && isObject(current) ? mergeConfig(current, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, received: string, cause?: unknown): LlamatuneError {
  return new LlamatuneError(
    'CONFIG_INVALID_JSON',
    `expected a JSON object in '${path}' but received ${received}`,
    { hint: 'write the options as { "model": "base.gguf", "lora": { "rank": 8 } }', cause },
  );
}
