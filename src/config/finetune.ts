import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import { hasDecay, SCHEDULE_TYPES, type ScheduleType } from '../schedule/schedule.js';
import { adaptive, adaptiveProblems } from './adaptive.js';
import { checkpoint, checkpointProblems, resumable, validationChoices } from './checkpoint.js';
import { type FieldReader, withCrossFieldRules } from './cross-field.js';
import { describeOptions } from './describe.js';
import {
  adapterSetting,
  callback,
  chatTemplate,
  dataset,
  expertStatistics,
  gradientCheckpointing,
  loraShape,
  model,
  modelCard,
  NEW_ADAPTER,
  path,
  placementProblems,
  placementShape,
  precision,
  seed,
  signal,
  threads,
  weightCache,
} from './fields.js';
import { inapplicableProblems, needs, weightCacheProblems, without } from './inapplicable.js';
import { loadBalanceLoss } from './load-balance-loss.js';
import { batchSize, loss, overlength, sequenceLength, truncationSide } from './sample-fields.js';

const loraFields = z.strictObject({
  rank: loraShape.rank,
  alpha: adapterSetting(
    z
      .number()
      .positive()
      .describe('LoRA alpha: the adapter is scaled by alpha / rank (arXiv 2106.09685).'),
    'alpha',
  ),
  rsLora: adapterSetting(
    z
      .boolean()
      .describe('Rank-stabilized LoRA: scale by alpha / sqrt(rank) instead (arXiv 2312.03732).'),
    'rsLora',
  ),
  loraPlusRatio: z
    .number()
    .positive()
    .default(1)
    .describe(
      'LoRA+: ratio of the learning rate of the B matrices to that of the A matrices (arXiv 2402.12354).',
    ),
  targets: loraShape.targets,
  init: adapterSetting(
    z
      .enum(['kaiming-uniform'])
      .describe('Initial values of a new adapter. kaiming-uniform: random A, zero B, as in PEFT.'),
    'init',
  ),
  initAdapter: path(
    'LoRA adapter (GGUF) to continue training. It keeps its rank, alpha, rsLora and targets; a value given for them must ' +
      'agree. Default: a new adapter.',
  ).optional(),
});

/** A new adapter gets the defaults; an adapter that is trained further keeps its own settings. */
const lora = loraFields.transform((given) =>
  given.initAdapter !== undefined
    ? given
    : {
        ...given,
        rank: given.rank ?? NEW_ADAPTER.rank,
        alpha: given.alpha ?? NEW_ADAPTER.alpha,
        rsLora: given.rsLora ?? NEW_ADAPTER.rsLora,
        targets: given.targets ?? [...NEW_ADAPTER.targets],
        init: given.init ?? NEW_ADAPTER.init,
      },
);

/** The types of optimizers and objectives, with the options that apply to some of them only. */
const OWN_OPTIONS = {
  optimizer: { adamw: ['beta1', 'beta2', 'epsilon'], sgd: ['momentum'] },
  objective: { 'cross-entropy': ['labelSmoothing'] },
} as const;
type Kind = keyof typeof OWN_OPTIONS;
type TypeOf<K extends Kind> = Extract<keyof (typeof OWN_OPTIONS)[K], string>;
type OwnOption<K extends Kind> = {
  [T in TypeOf<K>]: (typeof OWN_OPTIONS)[K][T] extends readonly (infer O)[] ? O : never;
}[TypeOf<K>];

const typesOf = <K extends Kind>(kind: K) =>
  Object.keys(OWN_OPTIONS[kind]) as [TypeOf<K>, ...TypeOf<K>[]];

/** Options of other types, which have no effect with this one; none if the type is unknown. */
function foreignOptions<K extends Kind>(kind: K, type: unknown): OwnOption<K>[] {
  const options: Record<string, readonly string[]> = OWN_OPTIONS[kind];
  if (!Object.hasOwn(options, String(type))) return [];
  const all = Object.values(options).flat();
  return all.filter((name) => !options[String(type)]!.includes(name)) as OwnOption<K>[];
}

const optimizerFields = z.strictObject({
  type: z
    .enum(typesOf('optimizer'))
    .default('adamw')
    .describe('adamw: AdamW (arXiv 1711.05101). sgd: stochastic gradient descent with momentum.'),
  learningRate: z.number().positive().max(1).default(1e-4).describe('Peak learning rate.'),
  beta1: z
    .number()
    .min(0)
    .lt(1)
    .default(0.9)
    .describe('AdamW beta1: decay rate of the first moment.'),
  beta2: z
    .number()
    .min(0)
    .lt(1)
    .default(0.999)
    .describe('AdamW beta2: decay rate of the second moment.'),
  epsilon: z
    .number()
    .positive()
    .default(1e-8)
    .describe('AdamW epsilon: added to the denominator for numerical stability.'),
  momentum: z
    .number()
    .min(0)
    .lt(1)
    .default(0.9)
    .describe('SGD momentum (0 = none, which also saves its memory).'),
  weightDecay: z.number().min(0).max(1).default(0.01).describe('Weight decay (decoupled).'),
  maxGradientNorm: z
    .number()
    .min(0)
    .default(1)
    .describe('Maximum global gradient norm; larger gradients are clipped (0 = no clipping).'),
});

const optimizer = optimizerFields.transform((given) =>
  without(given, foreignOptions('optimizer', given.type)),
);

const objectiveFields = z.strictObject({
  type: z
    .enum(typesOf('objective'))
    .default('cross-entropy')
    .describe('Loss function of a target token.'),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      'Label smoothing of cross-entropy: the share of the target distribution that is spread evenly over the ' +
        'vocabulary (arXiv 1512.00567; 0 = none). Not applied in evaluations.',
    ),
});

const objective = objectiveFields.transform((given) =>
  without(given, foreignOptions('objective', given.type)),
);

const schedulerFields = z.strictObject({
  type: z.enum(SCHEDULE_TYPES).default('cosine').describe('Learning rate schedule after warm-up.'),
  warmupSteps: z
    .int32()
    .min(0)
    .optional()
    .describe(
      'Linear warm-up, in optimizer steps. Give either warmupSteps or warmupRatio. Default: none.',
    ),
  warmupRatio: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe(
      'Linear warm-up, as a fraction of all steps. Give either warmupSteps or warmupRatio. Default: none.',
    ),
  minLearningRate: z
    .number()
    .min(0)
    .default(0)
    .describe('Learning rate at the end of the decay, for a schedule that decays.'),
});

/** Options that have no effect with this schedule; none if the type is unknown. */
const idleOptions = (type: ScheduleType) => (hasDecay(type) ? [] : (['minLearningRate'] as const));

const scheduler = schedulerFields.transform((given) => without(given, idleOptions(given.type)));

const validation = z.strictObject({
  split: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe(
      'Fraction of the dataset held out for validation, chosen by seed. Give either split or dataset.',
    ),
  dataset: dataset('Validation dataset. Give either split or dataset.').optional(),
  everySteps: z
    .int32()
    .min(0)
    .default(0)
    .describe('Evaluate every N optimizer steps (0 = only at the end).'),
  ...validationChoices,
});

/** Paths of all options. */
const optionNames = (): string[] => describeOptions(base).map(({ path }) => path);

/** The options that `checkpoint.resume.allow` may name. No run continues with other values of the others. */
export const resumableOptions = (): string[] => resumable(optionNames());

const base = z.strictObject({
  model: model(),
  dataset: dataset(
    'Training data: JSON Lines, JSON, CSV, TSV or Parquet files, each optionally gzipped, or rows from memory.',
  ),
  output: path('GGUF file to write: the adapter (mode lora) or the model (mode full).'),
  mode: z
    .enum(['lora', 'full'])
    .default('lora')
    .describe('Train a LoRA adapter (lora) or all parameters (full; F32 models only).'),
  lora: lora.prefault({}).describe("LoRA adapter (mode 'lora')."),
  epochs: z.int32().min(1).default(1).describe('Passes over the dataset.'),
  maxSteps: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Number of optimizer steps, instead of epochs: ends the run early, or repeats the dataset as often as needed. Default: what the epochs have.',
    ),
  sequenceLength: sequenceLength(),
  batchSize: batchSize(),
  microBatchTokens: z
    .union([z.literal('auto'), z.int32().min(2)])
    .default('auto')
    .describe(
      'Most tokens per forward and backward pass. The samples of a step share as many passes as they need, side by side and without padding; gradients are accumulated. auto: as many as are useful and fit into memory.',
    ),
  microBatchSize: z
    .int32()
    .min(1)
    .max(255)
    .optional()
    .describe(
      'Instead of microBatchTokens: rows per forward and backward pass, each padded to sequenceLength. A divisor of batchSize.',
    ),
  packing: z
    .boolean()
    .optional()
    .describe(
      'Instead of microBatchTokens: rows of exactly sequenceLength tokens, with several samples each (true) or one (false).',
    ),
  shuffle: z.boolean().default(true).describe('Shuffle the samples before each epoch.'),
  overlength: overlength(),
  truncationSide: truncationSide(),
  badRows: z
    .enum(['error', 'skip'])
    .default('error')
    .describe('Rows that cannot be trained on: fail, or leave out up to maxBadRows of them.'),
  maxBadRows: z
    .int32()
    .min(1)
    .default(100)
    .describe("With badRows 'skip': fail at more rows than this."),
  optimizer: optimizer.prefault({}).describe('Optimizer.'),
  scheduler: scheduler.prefault({}).describe('Learning rate schedule.'),
  objective: objective.prefault({}).describe('Loss function.'),
  loss: loss(),
  chatTemplate: chatTemplate(),
  validation: validation.optional().describe('Validation during training. Default: none.'),
  checkpoint: checkpoint(optionNames)
    .optional()
    .describe('Checkpoints during training. Default: none.'),
  adaptive: adaptive
    .optional()
    .describe('Adaptive training: a controller changes the run after each step. Default: none.'),
  tensorboard: path(
    'Folder for a TensorBoard event file with the losses, metrics, learning rates and speed of the run. Default: none.',
  ).optional(),
  onEvent: callback<(event: never) => void | Promise<void>>(
    'Called with every event, in order. The run does not wait for a promise that it returns, and continues without it if it fails.',
  ).optional(),
  runLog: z
    .union([z.literal(false), path('')])
    .optional()
    .meta({ typeText: 'path | false', cli: 'path' })
    .describe(
      'Run log: the configuration and every event, as JSON Lines. Any file in its place that is not the log of the run that ' +
        'is resumed gets a number in its name. Default: next to the output, e.g. adapter-log.jsonl for adapter.gguf.',
    ),
  modelCard: modelCard(),
  seed: seed(),
  precision: precision(),
  gradientCheckpointing: gradientCheckpointing(),
  loadBalanceLoss: loadBalanceLoss(),
  expertStatistics: expertStatistics(),
  weightCache: weightCache(),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

function ownOptionProblems(read: FieldReader, kind: Kind): ConfigProblem[] {
  const type = `${kind}.type`;
  return inapplicableProblems(read, type, kind, foreignOptions(kind, read.value(type)));
}

/** Refuses options that would have no effect. */
function problemsWithoutEffect(read: FieldReader): ConfigProblem[] {
  const schedule = read.value('scheduler.type') as ScheduleType;
  const ofLora = read.value('mode') === 'full' ? Object.keys(loraFields.shape) : [];
  return [
    ...ownOptionProblems(read, 'optimizer'),
    ...ownOptionProblems(read, 'objective'),
    ...inapplicableProblems(read, 'scheduler.type', 'scheduler', idleOptions(schedule)),
    ...inapplicableProblems(read, 'mode', 'lora', ofLora),
    ...weightCacheProblems(read),
    ...needs(read, 'truncationSide', 'overlength', 'truncate'),
    ...needs(read, 'maxBadRows', 'badRows', 'skip'),
  ];
}

const complete = base.transform((given) => {
  const hasRows = given.packing !== undefined || given.microBatchSize !== undefined;
  return without(given, [
    ...(given.mode === 'full' ? (['lora'] as const) : []),
    ...(hasRows ? (['microBatchTokens'] as const) : []),
    ...(given.overlength === 'truncate' ? [] : (['truncationSide'] as const)),
    ...(given.badRows === 'skip' ? [] : (['maxBadRows'] as const)),
  ]);
});

/** Schema of the options of `finetune()`. The description of each field has its default and unit. */
export const finetuneSchema = withCrossFieldRules(complete, (read) => {
  const [batch, micro] = [read.number('batchSize'), read.number('microBatchSize')];
  const [peak, minimum] = [
    read.number('optimizer.learningRate'),
    read.number('scheduler.minLearningRate'),
  ];
  const [warmup, maxSteps] = [read.number('scheduler.warmupSteps'), read.number('maxSteps')];
  const has = (at: string) => read.value(at) !== undefined;
  return [
    ...placementProblems(read),
    ...problemsWithoutEffect(read),
    ...checkpointProblems(read),
    ...adaptiveProblems(read),
    read.given('lora.init') && read.given('lora.initAdapter')
      ? {
          path: 'lora.init',
          message: `expected no lora.init with lora.initAdapter but received ${read.value('lora.init')}`,
        }
      : undefined,
    batch !== undefined && micro !== undefined && micro > 0 && batch % micro !== 0
      ? {
          path: 'microBatchSize',
          message: `expected a divisor of batchSize (${batch}) but received ${micro}`,
        }
      : undefined,
    ...['packing', 'microBatchSize']
      .filter((name) => has(name) && read.given('microBatchTokens'))
      .map((name) => ({
        path: 'microBatchTokens',
        message: `expected microBatchTokens or ${name} but received both`,
      })),
    has('scheduler.warmupSteps') && has('scheduler.warmupRatio')
      ? {
          path: 'scheduler',
          message: 'expected warmupSteps or warmupRatio but received both',
        }
      : undefined,
    has('validation') && has('validation.split') === has('validation.dataset')
      ? {
          path: 'validation',
          message: `expected split or dataset but received ${has('validation.split') ? 'both' : 'neither'}`,
        }
      : undefined,
    peak !== undefined && minimum !== undefined && minimum > peak
      ? {
          path: 'scheduler.minLearningRate',
          message: `expected at most optimizer.learningRate (${peak}) but received ${minimum}`,
        }
      : undefined,
    warmup !== undefined && maxSteps !== undefined && warmup >= maxSteps
      ? {
          path: 'scheduler.warmupSteps',
          message: `expected less than maxSteps (${maxSteps}) but received ${warmup}`,
        }
      : undefined,
  ];
});

/** What the schema of `finetune()` accepts: its options, without the type of the events. */
export type FinetuneInput = z.input<typeof finetuneSchema>;
/** The same with the default of every option that has an effect. */
export type FinetuneConfig = z.output<typeof finetuneSchema>;
