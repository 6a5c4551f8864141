import { z } from 'zod';
import { deviceState } from '../../hardware/reading.js';

/** Version of the file format; it changes when a reader of the earlier one would misread the new one. */
export const RESULTS_VERSION = 1;

/** Units of measures. Times are in seconds and sizes in bytes. */
const unit = z.enum([
  'tokens/s',
  'samples/s',
  's',
  'bytes',
  'nats',
  'W',
  'Wh',
  'tokens/Wh',
  '°C',
  'GFLOP/s',
  'tokens',
  'steps',
  'fraction',
]);
export type Unit = z.output<typeof unit>;

const measure = z.strictObject({
  unit,
  /** 'measured', or 'extrapolated' from measured steps to a whole training. */
  source: z.enum(['measured', 'extrapolated']),
  samples: z.array(z.number()).min(1).describe('Every measurement, in order.'),
  median: z.number(),
  mean: z.number(),
  min: z.number(),
  max: z.number(),
  spread: z.number().nullable().describe('(max - min) / mean'),
  interval: z
    .tuple([z.number(), z.number()])
    .readonly()
    .nullable()
    .describe('95 % bootstrap interval of the median; null for fewer than 3 samples.'),
});
export type Measure = z.output<typeof measure>;

const cell = {
  model: z.string().describe('As the suite names it.'),
  weightType: z.string(),
  device: z.string(),
};

const inferenceTrial = z.strictObject({
  kind: z.literal('inference'),
  ...cell,
  prompt: z.string(),
  runs: z.int(),
  warmup: z.int(),
  options: z.record(z.string(), z.unknown()).describe('Options of generate().'),
});

const trainingTrial = z.strictObject({
  kind: z.literal('training'),
  ...cell,
  dataset: z.string().nullable().describe('null: random tokens.'),
  validation: z.string().nullable(),
  steps: z.int(),
  warmup: z.int(),
  epochs: z.int().describe('Epochs to extrapolate to.'),
  targetLosses: z.array(z.number()).describe('Losses to report the time to.'),
  options: z.record(z.string(), z.unknown()).describe('Options of finetune().'),
});

const peftTrial = z.strictObject({
  kind: z.literal('peft'),
  ...cell,
  sequenceLength: z.int(),
  batchSize: z.int(),
  rank: z.int(),
  steps: z.int(),
  warmup: z.int(),
  python: z.string(),
  options: z.record(z.string(), z.unknown()).describe('Empty.'),
});

const trialSpec = z.discriminatedUnion('kind', [inferenceTrial, trainingTrial, peftTrial]);
export type TrialSpec = z.output<typeof trialSpec>;
export type InferenceTrial = z.output<typeof inferenceTrial>;
export type TrainingTrial = z.output<typeof trainingTrial>;
export type PeftTrial = z.output<typeof peftTrial>;

const outcome = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('ok') }),
  z.strictObject({ status: z.literal('oom'), message: z.string() }),
  z.strictObject({ status: z.literal('timeout'), message: z.string() }),
  z.strictObject({ status: z.literal('failed'), code: z.string(), message: z.string() }),
]);
export type Outcome = z.output<typeof outcome>;

const devicePower = deviceState.pick({ source: true, device: true, scope: true }).extend({
  average: z.number().describe('W'),
  peak: z.number().describe('W'),
  energy: z.number().describe('Wh'),
  coverage: z.number().describe('Part of the measured time with readings, from 0 to 1.'),
  counted: z.boolean().describe('Whether it is a part of the power and energy of the trial.'),
});

const hardware = z.strictObject({
  before: z.array(deviceState),
  after: z.array(deviceState).describe('After the process of the trial has ended.'),
  power: z.array(devicePower).describe('During the counted runs or steps.'),
});
export type Hardware = z.output<typeof hardware>;

const expertCounts = z.array(z.strictObject({ layer: z.int(), counts: z.array(z.int()).min(1) }));

const trial = z.strictObject({
  key: z.string().describe('Unique in the results, and the same in every run of the suite.'),
  benchmark: z.string().describe('id of the benchmark of the suite.'),
  label: z.string().describe('Name in tables, e.g. of a method, or the varied values.'),
  varied: z.record(z.string(), z.unknown()).describe('Values of the varied options.'),
  spec: trialSpec,
  startedAt: z.string(),
  seconds: z.number(),
  outcome,
  measures: z.record(z.string(), measure),
  details: z.record(z.string(), z.unknown()).describe('Settings that the run chose or reported.'),
  series: z
    .record(z.string(), z.array(z.number().nullable()))
    .describe('One value per optimizer step, warm-up included.'),
  experts: expertCounts
    .nullable()
    .default(null)
    .describe('With expertStatistics: how often each expert was used, by layer.'),
  expertSpans: z
    .array(z.strictObject({ firstStep: z.int(), lastStep: z.int(), layers: expertCounts }))
    .default([])
    .describe('The same over the optimizer steps, warm-up included; at most 64 spans.'),
  noise: z
    .strictObject({
      loadBefore: z.number().nullable().describe('Load average of the last minute.'),
      peakBefore: z.number().nullable().describe('Matmul speed before the trial, GFLOP/s.'),
      peakAfter: z.number().nullable().describe('The same after it.'),
    })
    .nullable(),
  hardware: hardware.nullable().default(null).describe('State and power of the devices.'),
});
export type TrialResult = z.output<typeof trial>;

const machine = z.strictObject({
  cpu: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
  platform: z.string().describe('e.g. linux-x64'),
  os: z.string(),
  instructionSets: z
    .array(z.string())
    .describe('Instruction sets of the CPU that matter for speed, e.g. avx512_bf16.'),
  environment: z
    .record(z.string(), z.string())
    .describe('Environment variables that change what runs, e.g. ONEDNN_MAX_CPU_ISA.'),
  devices: z.array(
    z.strictObject({
      name: z.string(),
      description: z.string(),
      memoryBytes: z.number(),
      driver: z.string().nullable().describe('Version of the driver; null if it is not known.'),
    }),
  ),
});
export type Machine = z.output<typeof machine>;

const price = z.union([z.number(), z.string()]).optional();

/** Schema of results.json. */
export const suiteResultsSchema = z.strictObject({
  format: z.literal('llamatune-bench'),
  version: z.literal(RESULTS_VERSION),
  suite: z
    .looseObject({
      name: z.string(),
      description: z.string(),
      benchmarks: z.array(z.looseObject({ id: z.string(), task: z.string(), title: z.string() })),
      electricityPricePerKwh: price,
      cloudPricePerHour: price,
    })
    .describe('The suite with every default: runSuite() accepts it again.'),
  machine,
  versions: z.record(z.string(), z.string()),
  startedAt: z.string(),
  finishedAt: z.string().nullable().describe('null if the suite did not end.'),
  sensors: z
    .array(z.strictObject({ source: z.string(), problem: z.string().nullable() }))
    .default([])
    .describe('Sources of hardware readings, and why one could not be used.'),
  trials: z.array(trial),
});
/** The contents of results.json. */
export type SuiteResults = z.output<typeof suiteResultsSchema>;
