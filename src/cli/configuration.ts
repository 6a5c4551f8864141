import type { InputFile, OutputFile } from '../files/check.js';
import type { ParsedArguments } from './arguments.js';
import { type JsonObject, mergeConfig, readConfigFile } from './config-file.js';

/**
 * The configuration of a command line: the file of `--config`, overridden by the other options.
 *
 * @param excludedOptions names of the options that are not part of the configuration
 */
export function configurationOf(
  { values }: ParsedArguments,
  excludedOptions: ReadonlySet<string>,
): JsonObject {
  const path = values.get('config');
  const file = typeof path === 'string' ? readConfigFile(path) : {};
  const given = [...values].filter(([name]) => !excludedOptions.has(name));
  return mergeConfig(file, nested(given));
}

/** The file of `--config`. It was already read; it is listed so that no output replaces it. */
export function configFile({ values }: ParsedArguments): InputFile[] {
  const path = values.get('config');
  return typeof path === 'string'
    ? [{ field: 'config', path, kind: 'config', compareOnly: true }]
    : [];
}

/** A file that the command writes in addition to the run, if its option is given. */
export function commandOutput({ values }: ParsedArguments, field: string): OutputFile | undefined {
  const path = values.get(field);
  return typeof path === 'string' ? { field, path, kind: 'file' } : undefined;
}

/** Converts { 'lora.rank': 8 } to { lora: { rank: 8 } }. */
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
