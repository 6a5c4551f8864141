import { z } from 'zod';
import type { DatasetRow } from './dataset-row.js';

/**
 * What the options call a loaded model: anything that `loadModel()` returned. The configuration
 * layer only tells it from a path; whether it is still open is seen when it is used.
 */
export interface ModelHandle {
  readonly path: string;
  dispose(): Promise<void>;
}

/** A JSONL file's path, or rows from memory. Iterables are read once, in order. */
export type DatasetSource = string | Iterable<DatasetRow> | AsyncIterable<DatasetRow>;

/** The weight kinds that get a LoRA pair unless `lora.targets` says otherwise. */
export const DEFAULT_LORA_TARGETS: readonly string[] = [
  'attn_q',
  'attn_k',
  'attn_v',
  'attn_output',
  'ffn_gate',
  'ffn_up',
  'ffn_down',
];

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

export const path = (description: string) =>
  z.string().min(1).meta({ description, typeText: 'path', cli: 'path' });

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
    'path of a JSONL file, or an iterable of rows',
    (value) => (typeof value === 'string' && value.length > 0) || isIterable(value),
  ).meta({ description, cli: 'path' });

export const signal = () =>
  instance<AbortSignal>('AbortSignal', isAbortSignal)
    .meta({ description: 'Aborts the run; it then rejects with code ABORTED.', cli: 'none' })
    .optional();

export const threads = () =>
  z.int().min(0).max(1024).default(0).describe('Compute threads; 0: one for each physical core.');

export const gpuLayers = () =>
  z
    .union([z.int().min(0), z.literal('all')])
    .default('all')
    .describe("Layers placed on the GPU, where the build has one: a number or 'all'.");

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
      "Weights that get a LoRA pair: kinds ('attn_q') or globs over whole tensor names " +
        "('blk.*.attn_q.weight').",
    ),
};
