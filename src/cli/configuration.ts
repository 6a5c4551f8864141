import type { ParsedArguments } from './arguments.js';
import { type JsonObject, mergeConfig, readConfigFile } from './config-file.js';

/**
 * The configuration that a command line asks for: the file of `--config`, and over it the options on the line.
 *
 * @param own the command line's own options, which are no part of the configuration
 */
export function configurationOf({ values }: ParsedArguments, own: ReadonlySet<string>): JsonObject {
  const path = values.get('config');
  const file = typeof path === 'string' ? readConfigFile(path) : {};
  const given = [...values].filter(([name]) => !own.has(name));
  return mergeConfig(file, nested(given));
}

/** { 'lora.rank': 8 } as { lora: { rank: 8 } }. */
export function nested(values: Iterable<readonly [string, unknown]>): JsonObject {
  const result: JsonObject = {};
  for (const [path, value] of values) {
    const keys = path.split('.');
    const last = keys.pop() as string;
    let target = result;
    for (const key of keys) {
      target[key] ??= {};
      target = target[key] as JsonObject;
    }
    target[last] = value;
  }
  return result;
}
