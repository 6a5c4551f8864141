import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import {
  chatTemplate,
  dataset,
  loraShape,
  model,
  path,
  placementProblems,
  placementShape,
  precision,
  recompute,
  seed,
  signal,
  threads,
} from './fields.js';

const lora = z.strictObject({
  rank: loraShape.rank,
  alpha: z
    .number()
    .positive()
    .default(16)
    .describe("Scale of the adapter's output: alpha / rank (arXiv 2106.09685)."),
  rsLora: z
    .boolean()
    .default(false)
    .describe('Scale by alpha / sqrt(rank) instead (arXiv 2312.03732).'),
  plusRatio: z
    .number()
    .positive()
    .default(1)
    .describe('LoRA+: learning rate of B over that of A (arXiv 2402.12354).'),
  targets: loraShape.targets,
  initAdapter: path('Adapter to continue from. Default: a fresh one.').optional(),
});

const optimizer = z.strictObject({
  learningRate: z
    .number()
    .positive()
    .max(1)
    .default(1e-4)
    .describe('Peak learning rate of AdamW (arXiv 1711.05101).'),
  beta1: z.number().min(0).lt(1).default(0.9).describe('Decay of the first moment.'),
  beta2: z.number().min(0).lt(1).default(0.999).describe('Decay of the second moment.'),
  epsilon: z.number().positive().default(1e-8).describe('Added to the root of the second moment.'),
  weightDecay: z.number().min(0).max(1).default(0.01).describe('Decoupled weight decay.'),
  maxGradientNorm: z
    .number()
    .min(0)
    .default(1)
    .describe('Clip the global gradient norm to this; 0: off.'),
});

const scheduler = z.strictObject({
  type: z
    .enum(['cosine', 'linear', 'constant'])
    .default('cosine')
    .describe('How the learning rate falls after the warm-up.'),
  warmupSteps: z
    .int()
    .min(0)
    .optional()
    .describe('Optimizer steps of linear warm-up; not together with warmupRatio. Default: none.'),
  warmupRatio: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('Warm-up as a part of all steps; not together with warmupSteps. Default: none.'),
  minLearningRate: z.number().min(0).default(0).describe('The decay ends at this rate.'),
});

const validation = z.strictObject({
  split: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe('Part of the dataset set aside; chosen by seed. Not together with dataset.'),
  dataset: dataset('Rows to evaluate on. Not together with split.').optional(),
  everySteps: z
    .int()
    .min(0)
    .default(0)
    .describe('Evaluate each so many optimizer steps; 0: only at the end.'),
});

const checkpoint = z.strictObject({
  directory: path('Where checkpoints are written.'),
  everySteps: z.int().min(1).default(100).describe('Write one each so many optimizer steps.'),
  resume: z
    .boolean()
    .default(false)
    .describe('Continue from the newest complete checkpoint in the directory.'),
});

const base = z.strictObject({
  model: model(),
  dataset: dataset('Training data: a JSON Lines or CSV file, or rows from memory.'),
  output: path('Where the adapter (mode lora) or the model (mode full) is written, as GGUF.'),
  mode: z
    .enum(['lora', 'full'])
    .default('lora')
    .describe('Train an adapter, or every parameter (F32 models only).'),
  lora: lora.prefault({}).describe("The adapter; of no use with mode 'full'."),
  epochs: z.int().min(1).default(1).describe('Passes over the dataset.'),
  maxSteps: z
    .int()
    .min(1)
    .optional()
    .describe('End after so many optimizer steps. Default: the epochs decide.'),
  sequenceLength: z.int().min(2).default(512).describe('Tokens in a row.'),
  batchSize: z.int().min(1).default(8).describe('Rows in an optimizer step.'),
  microBatchSize: z
    .int()
    .min(1)
    .default(1)
    .describe('Rows in one forward and backward pass; divides batchSize.'),
  packing: z
    .boolean()
    .default(false)
    .describe('Several samples in one row; they do not see each other.'),
  shuffle: z.boolean().default(true).describe('A new seeded order in each epoch.'),
  tooLong: z
    .enum(['error', 'truncate', 'skip'])
    .default('error')
    .describe('What to do with a sample that is longer than sequenceLength.'),
  optimizer: optimizer.prefault({}).describe('AdamW.'),
  scheduler: scheduler.prefault({}).describe('The learning rate over the steps.'),
  loss: z
    .enum(['all', 'completion', 'assistant'])
    .default('assistant')
    .describe(
      'Which tokens carry the loss: all, the last answer (completion), or every answer (assistant).',
    ),
  chatTemplate: chatTemplate(),
  validation: validation.optional().describe('Evaluation while training. Default: none.'),
  checkpoint: checkpoint.optional().describe('Checkpoints. Default: none.'),
  seed: seed(),
  precision: precision(),
  recompute: recompute(),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

const loraDefaults = JSON.stringify(lora.parse({}));

/** Options of `finetuneLora()`. Each field's default and unit is in its description. */
export const finetuneSchema = withCrossFieldRules(base, (read) => {
  const [batch, micro] = [read.number('batchSize'), read.number('microBatchSize')];
  const [peak, floor] = [
    read.number('optimizer.learningRate'),
    read.number('scheduler.minLearningRate'),
  ];
  const [warmup, maxSteps] = [read.number('scheduler.warmupSteps'), read.number('maxSteps')];
  const has = (at: string) => read.value(at) !== undefined;
  return [
    ...placementProblems(read),
    batch !== undefined && micro !== undefined && micro > 0 && batch % micro !== 0
      ? {
          path: 'microBatchSize',
          message: `expected a divisor of batchSize (${batch}) but received ${micro}`,
        }
      : undefined,
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
    peak !== undefined && floor !== undefined && floor > peak
      ? {
          path: 'scheduler.minLearningRate',
          message: `expected at most optimizer.learningRate (${peak}) but received ${floor}`,
        }
      : undefined,
    warmup !== undefined && maxSteps !== undefined && warmup >= maxSteps
      ? {
          path: 'scheduler.warmupSteps',
          message: `expected less than maxSteps (${maxSteps}) but received ${warmup}`,
        }
      : undefined,
    read.value('mode') === 'full' && JSON.stringify(read.value('lora')) !== loraDefaults
      ? {
          path: 'lora',
          message: "expected no adapter options with mode 'full' but received some",
        }
      : undefined,
  ];
});

/** What a caller writes. */
export type FinetuneOptions = z.input<typeof finetuneSchema>;
/** The same with every default filled in. */
export type FinetuneConfig = z.output<typeof finetuneSchema>;
