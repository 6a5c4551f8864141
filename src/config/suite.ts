import { z } from 'zod';
import { PRICE } from '../price.js';
import { withCrossFieldRules } from './cross-field.js';
import { path } from './fields.js';

const options = (of: string) =>
  z
    .record(z.string().min(1), z.unknown())
    .default({})
    .describe(`Options of ${of} for every trial, e.g. { threads: 2 }.`);

const vary = z
  .record(z.string().min(1), z.array(z.unknown()).min(1))
  .default({})
  .describe(
    "Options to vary, with their values, e.g. { 'lora.rank': [4, 16] }: one trial for every combination.",
  );

/** What a benchmark of a suite may set differently from the suite. */
const matrix = {
  models: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      "Models: paths of GGUF files, or shapes with random weights ('shape:qwen3-0.6b'). Default: those of the suite.",
    ),
  weightTypes: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      "Weight types ('Q8_0'), or 'as-is' for the file as it is. Default: those of the suite.",
    ),
  devices: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Values of the option 'device'. Default: those of the suite."),
};

/** Timers of Node.js reach 24.8 days; with a longer delay they end at once. */
const MOST_MINUTES = 30_000;

const limits = z.strictObject({
  minutes: z
    .number()
    .positive()
    .max(MOST_MINUTES)
    .default(60)
    .describe('A trial that takes longer is ended: its cells say timeout.'),
  memoryBytes: z
    .int()
    .min(1)
    .optional()
    .describe(
      'A trial whose process needs more is ended: its cells say OOM. Default: the memory of the machine.',
    ),
});

const price = (what: string) =>
  z
    .union([z.number().min(0), z.string().regex(PRICE, "expected a price such as '0.30 EUR'")])
    .optional()
    .meta({ typeText: "number | '$0.30' | '0.30 EUR'" })
    .describe(`${what}, for the costs in the report. Default: none.`);

/** Fields of every benchmark; `id` names it in results and reports. */
const common = (defaultTitle: string) => ({
  id: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .optional()
    .describe('Name in the results: small letters, digits and hyphens. Default: the task.'),
  title: z.string().min(1).default(defaultTitle).describe('Title in the report.'),
  ...matrix,
});

const inference = z.strictObject({
  task: z.literal('inference').describe('Generate text.'),
  ...common('Inference performance'),
  prompt: z.string().min(1).default('Tell me a joke about cats').describe('Prompt.'),
  runs: z.int32().min(1).default(5).describe('Counted runs.'),
  warmup: z.int32().min(0).default(1).describe('Runs before them, not counted.'),
  options: options('generate()'),
  vary,
});

/** Steps and warm-up steps together fit maxSteps of finetune(), a 32-bit integer. */
const MOST_STEPS = 1_000_000_000;

const trainingFields = {
  dataset: path(
    'Training data. Default: random tokens in rows of sequenceLength, for speed and memory only.',
  ).optional(),
  validation: path('Validation data, for an evaluation loss. Default: none.').optional(),
  steps: z.int().min(1).max(MOST_STEPS).default(5).describe('Measured optimizer steps.'),
  warmup: z.int().min(0).max(MOST_STEPS).default(1).describe('Steps before them, not counted.'),
  targetLosses: z
    .array(z.number().positive())
    .default([])
    .describe('Report steps, time and memory until the smoothed training loss is at most this.'),
  options: options('finetune()'),
};

const training = z.strictObject({
  task: z.literal('training').describe('Measure steps of a training.'),
  ...common('Fine-tuning time'),
  ...trainingFields,
  epochs: z.int32().min(1).default(1).describe('Epochs of the full training to extrapolate to.'),
  vary,
});

const reproducibility = z.strictObject({
  task: z.literal('reproducibility').describe('Repeat a training.'),
  ...common('Reproducibility'),
  ...trainingFields,
  runs: z.int32().min(2).default(3).describe('Runs with the same options and seed.'),
});

const methods = z.strictObject({
  task: z.literal('methods').describe('Compare methods on the same data.'),
  ...common('Methods compared'),
  ...trainingFields,
  methods: z
    .array(
      z.strictObject({
        name: z.string().min(1).describe('Name in the report.'),
        mode: z.enum(['lora', 'full']).default('lora').describe('As in finetune().'),
        weightType: z.string().min(1).describe("Weight type, e.g. 'F16'."),
        options: options('finetune() with this method'),
      }),
    )
    .min(2)
    .describe('Methods; the first one is the baseline of the others.'),
});

const peft = z.strictObject({
  task: z.literal('peft').describe('Compare training with PyTorch and PEFT, in turns.'),
  ...common('Compared with PEFT'),
  rounds: z.int32().min(1).default(3).describe('Pairs of a run here and a run with PEFT.'),
  sequenceLength: z.int32().min(2).default(512).describe('Tokens per row; rows have no padding.'),
  batchSize: z.int32().min(1).default(4).describe('Rows per step.'),
  rank: z.int32().min(1).default(8).describe('LoRA rank, on all linear layers.'),
  steps: z.int().min(1).max(MOST_STEPS).default(3).describe('Measured steps per run.'),
  warmup: z.int().min(0).max(MOST_STEPS).default(1).describe('Steps before them, not counted.'),
  python: z
    .string()
    .min(1)
    .default('python3')
    .describe('Python with torch, transformers and peft; without them the comparison fails.'),
});

/** The benchmarks that a suite can have, by `task`. */
export const benchmarkSchemas = { inference, training, reproducibility, methods, peft };

const benchmark = z.discriminatedUnion('task', [
  inference,
  training,
  reproducibility,
  methods,
  peft,
]);

const prices = {
  electricityPricePerKwh: price('Price of a kilowatt-hour'),
  cloudPricePerHour: price('Price of renting this machine for an hour'),
};

/** Schema of the prices of a suite. */
export const pricesSchema = z.strictObject(prices);
/** The prices of a suite. */
export type SuitePrices = z.output<typeof pricesSchema>;

const base = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .describe('Name of the suite: small letters, digits and hyphens.'),
  description: z.string().default('').describe('One line for people.'),
  models: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      "Models: paths of GGUF files, or shapes with random weights ('shape:qwen3-0.6b'), which show speed and memory only.",
    ),
  weightTypes: z
    .array(z.string().min(1))
    .min(1)
    .default(['as-is'])
    .describe("Weight types ('Q8_0'), or 'as-is' for the file as it is."),
  devices: z
    .array(z.string().min(1))
    .min(1)
    .default(['auto'])
    .describe("Values of the option 'device'."),
  measurePeak: z
    .boolean()
    .default(true)
    .describe(
      'Measure the matmul speed of the CPU before and after every trial, which shows how noisy the machine was.',
    ),
  ...prices,
  limits: limits.prefault({}).describe('Limits of every trial.'),
  benchmarks: z
    .array(benchmark.meta({ typeText: "benchmark with 'task'" }))
    .min(1)
    .describe('Benchmarks, in the order of the report.'),
});

/** The name of a benchmark in results: `id`, or its task. */
export const benchmarkId = (entry: { id?: string | undefined; task: string }): string =>
  entry.id ?? entry.task;

/** Schema of a benchmark suite. */
export const suiteSchema = withCrossFieldRules(base, (read) => {
  const entries = read.value('benchmarks');
  const ids = Array.isArray(entries) ? entries.map((entry) => entry?.id ?? entry?.task) : [];
  return ids.map((id, i) =>
    id !== undefined && ids.indexOf(id) < i
      ? {
          path: `benchmarks.${i}.id`,
          message: `expected a name that no other benchmark has but received '${id}' again`,
        }
      : undefined,
  );
});

/** A benchmark suite as a user writes it. Each field is documented in docs/configuration.md. */
export type SuiteOptions = z.input<typeof suiteSchema>;
/** The same with every default filled in. */
export type Suite = z.output<typeof suiteSchema>;
/** One benchmark of a suite. */
export type SuiteBenchmark = Suite['benchmarks'][number];
