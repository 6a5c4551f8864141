import { z } from 'zod';
import { suiteResultsSchema } from '../bench/suite/results.js';

/** Version of the file format; it changes when a reader of the earlier one would misread the new one. */
export const SUMMARY_VERSION = 1;

const number = z.number();
const use = z.looseObject({ seconds: number, energyWh: number.nullable() });
const estimate = z.looseObject({
  value: number,
  interval: z.tuple([number, number]).nullable(),
});
const metrics = z.looseObject({
  prompts: number,
  samples: number,
  compileRate: estimate.nullable(),
  passAt: z.record(z.string(), estimate),
  meanScore: estimate,
  passed: number,
  truncated: number,
  failedPrompts: number,
});
const stage = z.looseObject({
  attempts: number,
  finished: z.boolean(),
  use: use.nullable(),
  tokensPerSecond: number.nullable(),
});
const sampled = stage.extend({ metrics: metrics.nullable() });
const training = stage.extend({ loss: number.nullable(), steps: number, learningRate: number });
const cycle = z.looseObject({
  cycle: number,
  samples: sampled,
  filter: z.record(z.string(), number).nullable(),
  training,
  evaluation: sampled.nullable(),
});
const prompts = z.looseObject({ name: z.string(), count: number, hash: z.string() });
const test = z.looseObject({ n: number, difference: number, interval: z.unknown(), p: number });
const change = z.looseObject({
  passAt1: test,
  compileRate: test.nullable(),
  verdict: z.enum(['better', 'worse', 'no difference']),
});

/** What a report and a run that continues read of summary.json. */
export const summarySchema = z.looseObject({
  format: z.literal('llamatune-raft'),
  version: z.literal(SUMMARY_VERSION),
  options: z.looseObject({ cycles: number }),
  model: z.looseObject({
    path: z.string(),
    name: z.string(),
    description: z.string(),
    parameters: number,
    bytes: number,
  }),
  verifier: z.string(),
  prompts,
  evaluationPrompts: prompts.nullable(),
  machine: suiteResultsSchema.shape.machine,
  versions: z.record(z.string(), z.string()),
  sensors: z.array(z.looseObject({ source: z.string() })),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  baseline: sampled,
  cycles: z.array(cycle),
  final: sampled,
  change: change.nullable(),
  adapter: z.string().nullable(),
});
