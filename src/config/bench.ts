import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import {
  flashAttention,
  gradientCheckpointing,
  loraShape,
  model,
  placementProblems,
  placementShape,
  precision,
  signal,
  threads,
} from './fields.js';

const training = z.strictObject({
  steps: z
    .int32()
    .min(0)
    .default(3)
    .describe('Optimizer steps per repetition (0 = do not measure training).'),
  sequenceLength: z.int32().min(2).default(256).describe('Tokens per row.'),
  microBatchSize: z
    .int32()
    .min(1)
    .max(255)
    .default(1)
    .describe('Rows per forward and backward pass.'),
  precision: precision(),
  gradientCheckpointing: gradientCheckpointing(),
  lora: z.strictObject(loraShape).prefault({}).describe('LoRA adapter to train.'),
});

const base = z.strictObject({
  model: model(),
  promptTokens: z
    .int32()
    .min(0)
    .default(512)
    .describe('Prompt length in tokens (0 = do not measure prompt processing).'),
  generatedTokens: z
    .int32()
    .min(0)
    .default(64)
    .describe('Tokens to generate (0 = do not measure generation).'),
  training: training.prefault({}).describe('Training to measure.'),
  warmup: z.int32().min(0).default(1).describe('Warm-up repetitions, not counted.'),
  repetitions: z.int32().min(1).default(5).describe('Counted repetitions.'),
  flashAttention: flashAttention(),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Schema of the options of `bench()`. */
export const benchSchema = withCrossFieldRules(base, (read) => [
  ...placementProblems(read),
  read.number('promptTokens') === 0 &&
  read.number('generatedTokens') === 0 &&
  read.number('training.steps') === 0
    ? {
        path: '',
        message:
          'expected one of promptTokens, generatedTokens and training.steps above 0 ' +
          'but received 0 for each',
      }
    : undefined,
]);

/** Options of `bench()`. Each option is documented in docs/configuration.md. */
export type BenchOptions = z.input<typeof benchSchema>;
/** The same with every default filled in. */
export type BenchConfig = z.output<typeof benchSchema>;
