import { parseArgs } from 'node:util';
import { closest } from '../closest.js';
import { LlamatuneError } from '../errors.js';
import type { CliOption, OptionKind } from './option.js';

/** A parsed command line: values by option name, converted by the option's kind. */
export interface ParsedArguments {
  values: Map<string, unknown>;
  /** Arguments that are not options. */
  positionals: string[];
}

/**
 * Parses the arguments of a command. A value that is not a number where one is expected stays a string, so that the
 * validation of the configuration reports it together with all other problems.
 *
 * @throws LlamatuneError USAGE_INVALID
 */
export function parseArguments(
  args: readonly string[],
  options: readonly CliOption[],
  command: string,
): ParsedArguments {
  const byName = new Map(options.map((option) => [option.name, option]));
  // Not strict: Node's message for an unknown option has no suggestion.
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      options.map(({ name, kind, short }) => [
        name,
        { type: kind === 'boolean' ? 'boolean' : 'string', ...(short ? { short } : {}) } as const,
      ]),
    ),
  });

  const texts = new Map<string, string[]>();
  const values = new Map<string, unknown>();
  const positionals: string[] = [];
  const fail = (message: string, hint = `run 'llamatune ${command} --help' for the options`) => {
    throw new LlamatuneError('USAGE_INVALID', message, { hint });
  };

  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const negated = token.rawName.startsWith('--no-') && !byName.has(token.name);
    const name = negated ? token.rawName.slice('--no-'.length) : token.name;
    const option = byName.get(name);
    if (!option) {
      const nearest = closest(name, [...byName.keys()]);
      fail(
        `expected an option of '${command}' but received ${token.rawName}`,
        nearest ? `did you mean --${nearest}?` : undefined,
      );
    } else if (negated && token.value !== undefined) {
      fail(`expected ${token.rawName} without a value but received '${token.value}'`);
    } else if (option.kind === 'boolean') {
      values.set(name, negated ? false : flag(token.value));
    } else if (negated && option.canBeOff) {
      values.set(name, false);
    } else if (negated) {
      fail(`expected a value for --${name} but received ${token.rawName}`);
    } else if (token.value === undefined) {
      fail(`expected a value after --${name} (${option.typeText})`);
    } else {
      texts.set(name, [...(texts.get(name) ?? []), token.value]);
    }
  }

  for (const [name, given] of texts) {
    const option = byName.get(name);
    if (!option) continue;
    if (values.has(name)) fail(`expected --${name} or --no-${name} but received both`);
    if (given.length > 1 && !repeatable.has(option.kind)) {
      fail(`expected --${name} once but received it ${given.length} times`);
    }
    values.set(name, convert(option, given));
  }
  return { values, positionals };
}

const repeatable = new Set<OptionKind>([
  'list',
  'texts',
  'adapters',
  'datasets',
  'samples',
  'systems',
  'numbers',
  'placement',
]);

function convert(option: CliOption, texts: readonly string[]): unknown {
  const last = texts.at(-1) ?? '';
  switch (option.kind) {
    case 'number':
      return numberOrText(last);
    case 'list':
      return splitList(texts);
    case 'texts':
      return [...texts];
    case 'adapters':
      return splitList(texts).map(adapter);
    case 'datasets':
      return texts.length === 1 ? datasetFile(last) : texts.map(datasetFile);
    case 'samples':
      return splitList(texts).map(samplesFile);
    case 'systems':
      return texts.map(system);
    case 'numbers':
      return splitList(texts).map(numberOrText);
    case 'placement':
      return placement(texts);
    case 'json':
      return jsonOrText(last);
    default:
      return last;
  }
}

function flag(value: string | undefined): unknown {
  if (value === undefined || value === 'true') return true;
  return value === 'false' ? false : value;
}

function splitList(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.split(',').map((part) => part.trim()));
}

/**
 * A single text without '=' is a keyword. A mix of keywords and patterns stays a string, which the validation of the
 * configuration refuses, so that nothing is dropped.
 */
function placement(texts: readonly string[]): Record<string, string> | string {
  if (!texts.every((text) => text.includes('='))) return texts.join(' and ');
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.lastIndexOf('=');
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** 'path@0.5' in two parts, with any decimal number: @2, @.5, @1e-3; undefined without a number. */
function withNumber(text: string): { path: string; number: number } | undefined {
  const [, path, number] = /^(.+)@([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/is.exec(text) ?? [];
  return path === undefined ? undefined : { path, number: Number(number) };
}

function adapter(text: string): { path: string; scale: number } | string {
  const parts = withNumber(text);
  return parts === undefined ? text : { path: parts.path, scale: parts.number };
}

function datasetFile(text: string): { path: string; weight: number } | string {
  const parts = withNumber(text);
  return parts === undefined ? text : { path: parts.path, weight: parts.number };
}

/** 'name=path' in two parts. A path with a folder before the '=' is a path. */
function samplesFile(text: string): { system: string; samples: string } | string {
  const [, system, samples] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
  return system === undefined ? text : { system, samples: samples! };
}

/** 'name=base.gguf+adapter.gguf@0.5', or 'name=outputs.jsonl'; the name may be left out. */
function system(text: string): object {
  const [, given, source] = /^(?:([^=/\\]+)=)?(.*)$/s.exec(text) as unknown as [
    string,
    string | undefined,
    string,
  ];
  const name = given === undefined ? {} : { name: given };
  const [model, ...adapters] = source.split('+');
  if (!/\.gguf$/i.test(model!)) return { ...name, outputs: source };
  return { ...name, model, adapters: adapters.map(adapter) };
}

function numberOrText(text: string): number | string {
  const value = Number(text);
  return text.trim() === '' || !Number.isFinite(value) ? text : value;
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The only argument that is not an option: a folder. @throws LlamatuneError USAGE_INVALID with the example as hint */
export function onlyFolder({ positionals }: ParsedArguments, example: string): string {
  const [folder, ...others] = positionals;
  if (folder !== undefined && others.length === 0) return folder;
  throw new LlamatuneError(
    'USAGE_INVALID',
    `expected one folder but received ${positionals.length}`,
    { hint: example },
  );
}

/** @throws LlamatuneError USAGE_INVALID if there are arguments that do not belong to an option */
export function refusePositionals({ positionals }: ParsedArguments, command: string): void {
  if (positionals.length === 0) return;
  throw new LlamatuneError(
    'USAGE_INVALID',
    `expected options only but received '${positionals.join(' ')}'`,
    {
      hint: `run 'llamatune ${command} --help' for the options, and quote texts that contain spaces`,
    },
  );
}
