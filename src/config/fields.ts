import { resolve } from 'node:path';
import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import type { DatasetRow } from './dataset-row.js';

/**
 * What the options call a loaded model: anything that `loadModel()` returned. The configuration
 * layer only tells it from a path; whether it is still open is seen when it is used.
 */
export interface ModelHandle {
  readonly path: string;
  dispose(): Promise<void>;
}

/** Path of a dataset file, or rows from memory. Iterables are read once, in order. */
export type DatasetSource = string | Iterable<DatasetRow> | AsyncIterable<DatasetRow>;

/** The weights that get a LoRA pair unless `lora.targets` says otherwise. */
export const DEFAULT_LORA_TARGETS: readonly string[] = ['all-linear'];

// Beside `description`, fields carry for describeOptions(): `typeText`, the type in words where the
// schema cannot tell, and `cli`: 'path' is given as text, 'none' not at all on a command line.

const isObject = (value: unknown): value is Record<PropertyKey, unknown> =>
  typeof value === 'object' && value !== null;

const isIterable = (value: unknown): boolean =>
  isObject(value) && (Symbol.iterator in value || Symbol.asyncIterator in value);

const isModelHandle = (value: unknown): boolean =>
  isObject(value) && typeof value.dispose === 'function' && typeof value.path === 'string';

const isAbortSignal = (value: unknown): boolean =>
  isObject(value) &&
  typeof value.aborted === 'boolean' &&
  typeof value.addEventListener === 'function';

/** A field whose values zod's own types cannot express. */
function instance<T>(typeText: string, accepts: (value: unknown) => boolean) {
  return z.custom<T>(accepts).meta({ typeText });
}

/** Made absolute here, and nowhere else: a later change of the working directory does not move a run's files. */
export const path = (description: string) =>
  z
    .string()
    .min(1)
    .overwrite((given) => resolve(given))
    .meta({ description, typeText: 'path', cli: 'path' });

export const model = () =>
  instance<string | ModelHandle>(
    'path of a GGUF file, or a loaded model',
    (value) => (typeof value === 'string' && value.length > 0) || isModelHandle(value),
  ).meta({
    description: 'The base model: a GGUF file, or a model that loadModel() returned.',
    cli: 'path',
  });

export const dataset = (description: string) =>
  instance<DatasetSource>(
    'path of a dataset file, or an iterable of rows',
    (value) => (typeof value === 'string' && value.length > 0) || isIterable(value),
  ).meta({ description, cli: 'path' });

export const signal = () =>
  instance<AbortSignal>('AbortSignal', isAbortSignal)
    .meta({ description: 'Aborts the run; it then rejects with code ABORTED.', cli: 'none' })
    .optional();

export const callback = <F>(description: string) =>
  instance<F>('function', (value) => typeof value === 'function').meta({
    description,
    cli: 'none',
  });

export const threads = () =>
  z.int().min(0).max(1024).default(0).describe('Compute threads; 0: one for each physical core.');

export const gpuLayers = () =>
  z
    .union([z.int().min(0), z.literal('all')])
    .default('all')
    .describe("Layers placed on the chosen devices, the last ones first: a number or 'all'.");

/** The names in an option `device`, as native code reads them: without regard to case. */
const deviceNames = (text: string): string[] =>
  text.split(',').map((name) => name.trim().toLowerCase());

export const device = () =>
  z
    .string()
    .refine((text) => deviceNames(text).every((name) => name !== ''), {
      message: 'expected names separated by commas but received an empty one',
    })
    .refine(
      (text) => {
        const names = deviceNames(text);
        return names.length === 1 || !(names.includes('auto') || names.includes('cpu'));
      },
      { message: "expected 'auto' and 'cpu' alone but received one of them among other names" },
    )
    .default('auto')
    .meta({ typeText: "'auto' | 'cpu' | 'cuda' | 'vulkan' | 'metal' | 'hip' | 'rpc' | name" })
    .describe(
      "Where layers go: auto (the RPC servers', then the GPUs, else the CPU), cpu, all devices of a back end, or the " +
        "names of devices as 'llamatune devices' lists them, separated by commas.",
    );

const endpoint = /^[^\s:,/]+:([1-9]\d{0,4})$/;

export const rpc = () =>
  z
    .array(
      z
        .string()
        .refine((text) => endpoint.test(text) && Number(text.split(':')[1]) <= 65535, {
          message: "expected 'host:port'",
        })
        .meta({ typeText: 'host:port' }),
    )
    .max(16)
    .refine((servers) => new Set(servers).size === servers.length, {
      message: 'expected every server once but received one of them twice',
    })
    .default([])
    .describe(
      "llama.cpp RPC servers whose devices take layers, as 'host:port'. The connection is neither encrypted nor " +
        'authenticated: only within a network that you trust.',
    );

export const tensorSplit = () =>
  z
    .array(z.number().min(0))
    .min(1)
    .optional()
    .describe(
      'Parts of the layers for each of several devices, in their order: [3, 1]. Default: by their free memory.',
    );

/** Weights of experts as llama.cpp names them. */
const EXPERTS = '\\.ffn_(up|down|gate|gate_up)_(ch|)exps';

export const placement = () =>
  z
    .union([z.literal('experts-on-cpu'), z.record(z.string().min(1), z.string().min(1))])
    .optional()
    .transform((given) => {
      const rules = given === 'experts-on-cpu' ? { [EXPERTS]: 'cpu' } : (given ?? {});
      return Object.entries(rules).map(([pattern, on]) => ({ pattern, device: on }));
    })
    .meta({
      typeText: "'experts-on-cpu' | { pattern: device }",
      description:
        'Devices of weights whose names fit a regular expression, wherever their layer goes: ' +
        "{ 'ffn_.*_exps': 'cpu' }. experts-on-cpu keeps the experts' weights on the CPU. Default: none.",
    });

/** The options that say where a model goes, of every call that loads one. */
export const placementShape = () => ({
  device: device(),
  gpuLayers: gpuLayers(),
  tensorSplit: tensorSplit(),
  placement: placement(),
  rpc: rpc(),
});

/** Rules between those, and with a model that has its place already. */
export const placementProblems = (read: {
  number(path: string): number | undefined;
  value(path: string): unknown;
}): (ConfigProblem | undefined)[] => {
  const filled = (path: string): boolean => {
    const value = read.value(path);
    return Array.isArray(value) && value.length > 0;
  };
  const given: Record<string, boolean> = {
    device: read.value('device') !== 'auto',
    gpuLayers: read.value('gpuLayers') !== 'all',
    tensorSplit: filled('tensorSplit'),
    placement: filled('placement'),
    rpc: filled('rpc'),
  };
  if (isModelHandle(read.value('model'))) {
    return Object.keys(given).map((path) =>
      given[path]
        ? {
            path,
            message: 'expected none with a loaded model, which has its place, but received one',
          }
        : undefined,
    );
  }
  const [device, split, rules] = [
    read.value('device'),
    read.value('tensorSplit'),
    read.value('placement'),
  ];
  const onCpu = typeof device === 'string' && device.trim().toLowerCase() === 'cpu';
  const noneOnCpu = (path: string) =>
    onCpu && given[path]
      ? { path, message: "expected none with device 'cpu' but received one" }
      : undefined;
  const elsewhere = Array.isArray(rules)
    ? rules.find((rule) => String(rule?.device).toLowerCase() !== 'cpu')
    : undefined;
  return [
    noneOnCpu('rpc'),
    noneOnCpu('tensorSplit'),
    read.value('gpuLayers') !== 0 ? noneOnCpu('gpuLayers') : undefined,
    onCpu && elsewhere !== undefined
      ? {
          path: 'placement',
          message: `expected only 'cpu' with device 'cpu' but received '${elsewhere.device}'`,
        }
      : undefined,
    Array.isArray(split) && split.length > 0 && split.every((part) => part === 0)
      ? { path: 'tensorSplit', message: 'expected a number above 0 but received zeros only' }
      : undefined,
  ];
};

export const seed = () =>
  z.int().min(0).default(42).describe('Seed of every random choice; the same seed repeats a run.');

export const chatTemplate = () =>
  z
    .string()
    .min(1)
    .optional()
    .describe("Jinja chat template in place of the model's own. Default: the model's.");

export const precision = () =>
  z
    .enum(['auto', 'f32', 'bf16'])
    .default('auto')
    .describe(
      "Of products with the model's weights on the CPU. bf16: factors rounded to bfloat16, sums in F32, several times " +
        'as fast where the CPU has units for it; elsewhere F32 is used, with a warning. auto: bf16 for an adapter of a ' +
        'model at least 512 wide where the CPU has such units, else f32.',
    );

export const recompute = () =>
  z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe(
      'Compute the activations of each layer again in the backward pass in place of keeping them all: a fraction of ' +
        'the memory for about a third more time, and the same result. auto: only where the run would not fit otherwise.',
    );

/** The LoRA options that training and its benchmark share. */
export const loraShape = {
  rank: z.int().min(1).max(4096).default(8).describe('Rank r of the adapter.'),
  targets: z
    .array(z.string().min(1))
    .min(1)
    .default([...DEFAULT_LORA_TARGETS])
    .describe(
      "Weights that get a LoRA pair: kinds ('attn_q'), globs over whole tensor names ('blk.*.attn_q.weight'), or " +
        "'all-linear': every linear layer, in a Llama attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up and " +
        "ffn_down, but not the output matrix, nor stacked experts ('ffn_up_exps') and their router ('ffn_gate_inp').",
    ),
};
