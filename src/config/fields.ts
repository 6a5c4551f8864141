import { join, resolve, sep } from 'node:path';
import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import type { DatasetRow } from './dataset-row.js';
import { describeValue } from './parse.js';

/**
 * A loaded model in options: what `loadModel()` returned. The configuration layer only distinguishes
 * it from a path; whether it was disposed is checked when it is used.
 */
export interface ModelHandle {
  readonly path: string;
  dispose(): Promise<void>;
}

/** A dataset file: its path, a `file:` URL, or a pattern like 'data/*.jsonl', optionally with a weight. */
export type DatasetFileSource =
  | string
  | URL
  | {
      path: string | URL;
      /** How often each sample is used in an epoch; with a fraction, that share of the samples once more. Default: 1. */
      weight?: number;
    };

/** Files, or rows from memory. Iterables (arrays, generators, streams of rows) are read once, in order. */
export type DatasetSource =
  | DatasetFileSource
  | readonly DatasetFileSource[]
  | Iterable<DatasetRow>
  | AsyncIterable<DatasetRow>;

/** The default of `lora.targets`. */
export const DEFAULT_LORA_TARGETS: readonly string[] = ['all-linear'];

/** Default settings of a new adapter. An adapter that is trained further keeps its own settings. */
export const NEW_ADAPTER = {
  rank: 8,
  alpha: 16,
  rsLora: false,
  targets: DEFAULT_LORA_TARGETS,
  init: 'kaiming-uniform' as const,
};

// Metadata of a field that describeOptions() reads: `description`; `typeText`, the type in words if the schema does not
// express it; `cli`: 'path' is read as text on the command line, 'none' is not available there.

const isObject = (value: unknown): value is Record<PropertyKey, unknown> =>
  typeof value === 'object' && value !== null;

export const isIterable = (value: unknown): boolean =>
  isObject(value) && (Symbol.iterator in value || Symbol.asyncIterator in value);

const isModelHandle = (value: unknown): boolean =>
  isObject(value) && typeof value.dispose === 'function' && typeof value.path === 'string';

const isAbortSignal = (value: unknown): boolean =>
  isObject(value) &&
  typeof value.aborted === 'boolean' &&
  typeof value.addEventListener === 'function';

/** A field of a type that zod does not have. */
function instance<T>(typeText: string, accepts: (value: unknown) => boolean) {
  return z.custom<T>(accepts).meta({ typeText });
}

/** A slash at the end, which says that a folder is meant, stays. */
function absolute(given: string): string {
  const isFolder = given.endsWith('/') || given.endsWith(sep);
  return isFolder ? join(resolve(given), sep) : resolve(given);
}

/** A path. It becomes absolute here, so a later change of the working directory does not affect the run. */
export const path = (description: string) =>
  z.string().min(1).overwrite(absolute).meta({ description, typeText: 'path', cli: 'path' });

export const model = () =>
  instance<string | ModelHandle>(
    'path of a GGUF file, or a loaded model',
    (value) => (typeof value === 'string' && value.length > 0) || isModelHandle(value),
  ).meta({
    description: 'Base model: path of a GGUF file, or a model that loadModel() returned.',
    cli: 'path',
  });

const fileUrl = z.instanceof(URL).refine((url) => url.protocol === 'file:');

const MAX_FILE_WEIGHT = 1000;
const fileWeight = z.number().positive().max(MAX_FILE_WEIGHT).optional();

const fileSource = z.union([
  z.string().min(1),
  fileUrl,
  z.strictObject({
    path: z.union([z.string().min(1), fileUrl]),
    weight: fileWeight,
  }),
]);

/** Whether a value names a dataset file, rather than being a row that has a column `path`. It may be wrong otherwise. */
export const namesFile = (value: unknown): value is DatasetFileSource =>
  typeof value === 'string' ||
  value instanceof URL ||
  (isObject(value) &&
    (typeof value.path === 'string' || value.path instanceof URL) &&
    Object.keys(value).every((key) => key === 'path' || key === 'weight'));

const isDataset = (value: unknown): boolean =>
  fileSource.safeParse(value).success ||
  (Array.isArray(value) && value.length > 0 && z.array(fileSource).safeParse(value).success) ||
  (typeof value !== 'string' && isIterable(value) && !isListWithFiles(value));

/** A list with some files is a list of files, whose other elements are wrong. */
const isListWithFiles = (value: unknown): boolean => Array.isArray(value) && value.some(namesFile);

/** What is wrong with the weights of dataset files; undefined if nothing is. */
function weightProblem(value: unknown): string | undefined {
  const problems = (Array.isArray(value) ? value : [value]).flatMap((source) => {
    if (!namesFile(source) || typeof source === 'string' || source instanceof URL) return [];
    const { path, weight } = source;
    if (fileWeight.safeParse(weight).success) return [];
    const expected = `a weight above 0 and at most ${MAX_FILE_WEIGHT} for '${path}'`;
    return [`expected ${expected} but received ${describeValue(weight)}`];
  });
  return problems.length === 0 ? undefined : problems.join('; ');
}

export const dataset = <Source = DatasetSource>(description: string) =>
  z.custom<Source>(isDataset, { error: ({ input }) => weightProblem(input) }).meta({
    description,
    typeText:
      'path, file URL or pattern of dataset files, { path, weight }, a list of them, or an iterable of rows',
    cli: 'path',
  });

export const signal = () =>
  instance<AbortSignal>('AbortSignal', isAbortSignal)
    .meta({ description: 'Aborts the run, which then rejects with code ABORTED.', cli: 'none' })
    .optional();

export const callback = <F>(description: string) =>
  instance<F>('function', (value) => typeof value === 'function').meta({
    description,
    cli: 'none',
  });

export const threads = () =>
  z.int32().min(0).max(1024).default(0).describe('Compute threads (0 = one per physical core).');

export const gpuLayers = () =>
  z
    .union([z.int32().min(0), z.literal('all')])
    .default('all')
    .describe(
      "Number of layers on the chosen devices, counted from the last, or 'all'; the rest stays on the CPU.",
    );

/** The names in the option `device`, in lower case, as native code compares them. */
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
      'Devices for the layers: auto (RPC servers and GPUs if there are any, else the CPU), cpu, a back end (all of its ' +
        "devices), or device names as listed by 'llamatune devices', separated by commas.",
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
      message: 'expected different servers but received one of them twice',
    })
    .default([])
    .describe(
      "llama.cpp RPC servers whose devices hold layers, as 'host:port'. The connection is neither encrypted nor " +
        'authenticated: use it only in a network that you trust.',
    );

export const tensorSplit = () =>
  z
    .array(z.number().min(0))
    .min(1)
    .optional()
    .describe(
      'Fraction of layers per device, in device order, in any scale: [3, 1]. Default: by free memory.',
    );

/** Weights of experts as llama.cpp names them. */
const EXPERTS = '\\.ffn_(up|down|gate|gate_up)_(ch|)exps';

export const placement = () =>
  z
    .union([z.literal('experts-on-cpu'), z.record(z.string().min(1), z.string().min(1))])
    .optional()
    .transform(
      (given): Record<string, string> =>
        given === 'experts-on-cpu' ? { [EXPERTS]: 'cpu' } : (given ?? {}),
    )
    .meta({
      typeText: "'experts-on-cpu' | { pattern: device }",
      description:
        "Device for the weights whose names match a regular expression (llama.cpp's --override-tensor): " +
        "{ 'ffn_.*_exps': 'cpu' }. experts-on-cpu keeps expert weights on the CPU (--cpu-moe). Default: none.",
    });

/** Device placement: the options of every call that loads a model. */
export const placementShape = () => ({
  device: device(),
  gpuLayers: gpuLayers(),
  tensorSplit: tensorSplit(),
  placement: placement(),
  rpc: rpc(),
});

/** Validated placement options. */
export type PlacementConfig = z.output<z.ZodObject<ReturnType<typeof placementShape>>>;

/** Rules between placement options. A loaded model is already placed, so they are refused together with one. */
export const placementProblems = (read: {
  number(path: string): number | undefined;
  value(path: string): unknown;
}): (ConfigProblem | undefined)[] => {
  const filled = (path: string): boolean => Object.keys(read.value(path) ?? {}).length > 0;
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
            message: 'expected a model path with this option but received a loaded model',
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
  const refusedOnCpu = (path: string) =>
    onCpu && given[path]
      ? { path, message: "expected a GPU or RPC device with this option but received device 'cpu'" }
      : undefined;
  const offCpu = Object.values(rules ?? {}).find((name) => String(name).toLowerCase() !== 'cpu');
  return [
    refusedOnCpu('rpc'),
    refusedOnCpu('tensorSplit'),
    read.value('gpuLayers') !== 0 ? refusedOnCpu('gpuLayers') : undefined,
    onCpu && offCpu !== undefined
      ? {
          path: 'placement',
          message: `expected only 'cpu' with device 'cpu' but received '${offCpu}'`,
        }
      : undefined,
    Array.isArray(split) && split.length > 0 && split.every((part) => part === 0)
      ? { path: 'tensorSplit', message: 'expected a number above 0 but received only zeros' }
      : undefined,
  ];
};

export const modelCard = () =>
  z
    .boolean()
    .default(true)
    .describe(
      'Write a model card next to the output: README.md, and the loss curve as SVG. A README.md of another origin stays as it is.',
    );

export const seed = () =>
  z.int().min(0).default(42).describe('Random seed; the same seed gives the same run.');

export const chatTemplate = () =>
  z
    .string()
    .min(1)
    .optional()
    .describe(
      'Chat template: a Jinja text, a file, or the name of a common format such as chatml or llama3. ' +
        "Default: the model's own.",
    );

export const precision = () =>
  z
    .enum(['auto', 'f32', 'bf16'])
    .default('auto')
    .describe(
      'Matmul precision on the CPU and on CUDA. bf16: factors in bfloat16, sums in F32; several times faster on devices ' +
        'with bfloat16 units, while other CPUs use F32 with a warning. f32: on CUDA as TF32. auto: bf16 for LoRA on a ' +
        'model with embeddings of at least 512 on a device with such units, else f32. Other GPUs choose the precision.',
    );

export const gradientCheckpointing = () =>
  z
    .union([z.literal('auto'), z.boolean()])
    .default('auto')
    .describe(
      'Gradient checkpointing: recompute activations in the backward pass instead of keeping them. Needs a fraction of ' +
        'the memory and about a third more time; results are identical. auto: only if the run would not fit otherwise.',
    );

export const flashAttention = () =>
  z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe(
      'Flash attention for generation, as in llama.cpp: on, off, or auto (on if the devices support it).',
    );

export const expertStatistics = () =>
  z
    .boolean()
    .default(false)
    .describe(
      'Count which experts of a mixture of experts the tokens use, by layer: experts in the result and, in training, in each ' +
        'step event. It takes a little time.',
    );

export const weightCache = () =>
  z
    .union([z.literal('auto'), z.boolean()])
    .default('auto')
    .describe(
      'Keep frozen weights in the layout that bfloat16 matrix products of the CPU read, instead of dequantizing them ' +
        'again in every pass (mode lora, precision bf16). Faster; needs about 4 bytes per weight; results are identical. ' +
        'auto: if the whole run then needs at most half of the available memory.',
    );

/** A setting of a new adapter. The parsed options contain it only if the caller gave it. */
export const adapterSetting = <S extends z.ZodType>(schema: S, name: keyof typeof NEW_ADAPTER) =>
  schema.optional().meta({ default: NEW_ADAPTER[name] });

/** The LoRA options that training and its benchmark share. */
export const loraShape = {
  rank: adapterSetting(z.int32().min(1).max(4096).describe('LoRA rank r.'), 'rank'),
  targets: adapterSetting(
    z
      .array(z.string().min(1))
      .min(1)
      .describe(
        "Target modules: weight kinds ('attn_q'), globs over tensor names ('blk.*.attn_q.weight'), or 'all-linear': every " +
          'linear layer (in a Llama: attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down), without the output ' +
          "matrix, stacked experts ('ffn_up_exps') and their router ('ffn_gate_inp').",
      ),
    'targets',
  ),
};

const adapterPath = path('LoRA adapter of this model, as GGUF.');

const adapter = z.strictObject({
  path: adapterPath,
  scale: z.number().default(1).describe("Scale of the adapter's output (0 = off)."),
});

/** Adapters of a call that only runs a model. */
export const adapters = () =>
  z
    .union([adapterPath, z.array(z.union([adapterPath, adapter]))])
    .default([])
    .transform((given) =>
      (typeof given === 'string' ? [given] : given).map((each) =>
        typeof each === 'string' ? { path: each, scale: 1 } : each,
      ),
    )
    .meta({
      description: 'LoRA adapters to apply: paths, or { path, scale }. Several are added up.',
      typeText: 'path, or array of path or { path, scale }',
    });
