import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import {
  loraShape,
  model,
  placementProblems,
  placementShape,
  precision,
  recompute,
  signal,
  threads,
} from './fields.js';

const training = z.strictObject({
  steps: z
    .int()
    .min(0)
    .default(3)
    .describe('Optimizer steps in one repetition; 0: do not measure training.'),
  sequenceLength: z.int().min(2).default(256).describe('Tokens in a row.'),
  microBatchSize: z.int().min(1).default(1).describe('Rows in a forward and backward pass.'),
  precision: precision(),
  recompute: recompute(),
  lora: z.strictObject(loraShape).prefault({}).describe('The adapter that is trained.'),
});

const base = z.strictObject({
  model: model(),
  promptTokens: z
    .int()
    .min(0)
    .default(512)
    .describe('Tokens of the prompt; 0: do not measure prompt processing.'),
  generatedTokens: z
    .int()
    .min(0)
    .default(64)
    .describe('Tokens to generate; 0: do not measure generation.'),
  training: training.prefault({}).describe('The training that is measured.'),
  warmup: z.int().min(0).default(1).describe('Repetitions that are not counted.'),
  repetitions: z.int().min(1).default(5).describe('Repetitions that are counted.'),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Options of `bench()`. */
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

export type BenchOptions = z.input<typeof benchSchema>;
export type BenchConfig = z.output<typeof benchSchema>;
