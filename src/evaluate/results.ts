import { z } from 'zod';

/** Version of the format of results. */
export const EVALUATION_VERSION = 1;

const interval = z.tuple([z.number(), z.number()]).readonly().nullable();

const measure = z.object({
  name: z.string(),
  title: z.string(),
  isPercent: z.boolean(),
  higherIsBetter: z.boolean(),
});

const measured = z.object({
  /** null if the system has no answer, or cannot be measured this way. */
  value: z.number().nullable(),
  /** 95 % bootstrap interval over rows; null for fewer than 3 rows and if all rows are equal. */
  interval,
  /** Rows that count. */
  rows: z.number(),
});

const classification = z.object({
  labels: z.array(z.string()),
  confusion: z.array(z.array(z.number())),
  perLabel: z.array(
    z.object({
      label: z.string(),
      rows: z.number(),
      precision: z.number().nullable(),
      recall: z.number().nullable(),
      f1: z.number().nullable(),
    }),
  ),
  unparsed: z.number(),
});

const system = z.object({
  name: z.string(),
  /** Path of the model; null for recorded outputs. */
  model: z.string().nullable(),
  adapters: z.array(z.object({ path: z.string(), scale: z.number() })),
  /** Path of the recorded outputs; null for a model. */
  outputs: z.string().nullable(),
  /** The file with its answers, relative to the output folder; null if nothing is written. */
  samples: z.string().nullable(),
  answers: z.number(),
  /** Rows without an answer: not in the recorded outputs, or failed. */
  missing: z.array(z.object({ index: z.number(), reason: z.string() })),
  /** Answers that reached maxTokens. */
  truncated: z.number(),
  generatedTokens: z.number().nullable(),
  seconds: z.number().nullable(),
  /** By name of the measure. */
  measures: z.record(z.string(), measured),
  /** By name of the task. */
  classifications: z.record(z.string(), classification),
});

const comparison = z.object({
  measure: z.string(),
  a: z.string(),
  b: z.string(),
  /** Rows that both systems answered. */
  rows: z.number(),
  /** a - b */
  difference: z.number(),
  interval,
  /** Of the paired randomization test. */
  p: z.number(),
  /** Corrected for all comparisons of the evaluation by Holm's procedure. */
  adjustedP: z.number(),
  /** The system that is better beyond chance (adjustedP < 0.05); null if there is none. */
  better: z.string().nullable(),
  sentence: z.string(),
});

/** Schema of the results of `evaluate()`, which is the content of results.json. */
export const evaluationResultsSchema = z.object({
  format: z.literal('llamatune-evaluation'),
  version: z.literal(EVALUATION_VERSION),
  startedAt: z.string(),
  finishedAt: z.string(),
  /** Files of the dataset; empty for rows from memory. */
  files: z.array(z.string()),
  rows: z.number(),
  badRows: z.array(z.object({ index: z.number(), where: z.string(), message: z.string() })),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
  /** The options of generation. */
  settings: z.record(z.string(), z.unknown()),
  tasks: z.array(z.object({ name: z.string(), type: z.string(), measures: z.array(z.string()) })),
  measures: z.array(measure),
  systems: z.array(system),
  comparisons: z.array(comparison),
});

/** The results of `evaluate()`: numbers, no texts. */
export type EvaluationResults = z.output<typeof evaluationResultsSchema>;
export type SystemResults = EvaluationResults['systems'][number];
export type SystemComparison = EvaluationResults['comparisons'][number];
export type MeasureDescription = EvaluationResults['measures'][number];
export type MeasuredValue = SystemResults['measures'][string];
