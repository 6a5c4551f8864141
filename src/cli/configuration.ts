import type { InputFile, OutputFile } from '../files/check.js';
import type { ParsedArguments } from './arguments.js';
import { type JsonObject, mergeConfig, readConfigFile } from './config-file.js';

/**
 * The configuration of a command line: the file of `--config`, overridden by the other options.
 *
 * @param own names of the options that are not part of the configuration
 */
export function configurationOf({ values }: ParsedArguments, own: ReadonlySet<string>): JsonObject {
  const path = values.get('config');
  const file = typeof path === 'string' ? readConfigFile(path) : {};
  const given = [...values].filter(([name]) => !own.has(name));
  return mergeConfig(file, nested(given));
}

/** The file of `--config`: it has been read, and no output may replace it. */
export function configFile({ values }: ParsedArguments): InputFile[] {
  const path = values.get('config');
  return typeof path === 'string'
    ? [{ field: 'config', path, kind: 'config', compareOnly: true }]
    : [];
}

/** What the command line itself writes, if the option asks for it. */
export function ownOutput(
  { values }: ParsedArguments,
  field: string,
  kind: 'file' | 'log',
): OutputFile | undefined {
  const path = values.get(field);
  return typeof path === 'string' ? { field, path, kind } : undefined;
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
