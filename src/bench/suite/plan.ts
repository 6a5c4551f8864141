import { basename } from 'node:path';
import { benchmarkId, type Suite, type SuiteBenchmark } from '../../config/suite.js';
import type { TrialResult, TrialSpec } from './results.js';
import { ATTENTION_LAYERS, FEED_FORWARD_LAYERS } from './shapes.js';

/** A trial before it runs. */
export type PlannedTrial = Pick<TrialResult, 'key' | 'benchmark' | 'label' | 'varied' | 'spec'>;

/** A place in the matrix of a benchmark. */
interface Cell {
  model: string;
  weightType: string;
  device: string;
}

/**
 * All trials of a suite, in order. Every key is unique and the same in every run of the suite, on any machine: a model is
 * named by its file, without folders.
 */
export function planTrials(suite: Suite): PlannedTrial[] {
  const used = new Map<string, number>();
  const unique = (key: string): string => {
    const count = (used.get(key) ?? 0) + 1;
    used.set(key, count);
    return count === 1 ? key : `${key} | ${count}`;
  };
  return suite.benchmarks.flatMap((benchmark) => {
    const id = benchmarkId(benchmark);
    return trialsOf(suite, benchmark).map(({ label, varied, spec }) => {
      const { model, weightType, device } = spec;
      const parts = [id, basename(model, '.gguf'), weightType, device, label];
      const key = unique(parts.filter((part) => part !== '').join(' | '));
      return { key, benchmark: id, label, varied, spec };
    });
  });
}

type Draft = Pick<PlannedTrial, 'label' | 'varied' | 'spec'>;

function trialsOf(suite: Suite, benchmark: SuiteBenchmark): Draft[] {
  switch (benchmark.task) {
    case 'inference':
      return cellsOf(suite, benchmark).flatMap((cell) =>
        combinations(benchmark.vary).map((varied) => ({
          ...varying(varied),
          spec: {
            kind: 'inference' as const,
            ...cell,
            prompt: benchmark.prompt,
            runs: benchmark.runs,
            warmup: benchmark.warmup,
            options: { ...benchmark.options, ...varied },
          },
        })),
      );
    case 'training':
      return cellsOf(suite, benchmark).flatMap((cell) =>
        combinations(benchmark.vary).map((varied) => ({
          ...varying(varied),
          spec: trainingSpec(benchmark, cell, varied),
        })),
      );
    case 'peft':
      return cellsOf(suite, benchmark).flatMap((cell) =>
        Array.from({ length: benchmark.rounds }, (_, i) =>
          peftRound(benchmark, cell, i + 1),
        ).flat(),
      );
    case 'reproducibility':
      return cellsOf(suite, benchmark).flatMap((cell) =>
        Array.from({ length: benchmark.runs }, (_, i) => ({
          label: `run ${i + 1}`,
          varied: {},
          spec: trainingSpec(benchmark, cell, {}),
        })),
      );
    case 'methods':
      return cellsOf(suite, { ...benchmark, weightTypes: [''] }).flatMap(({ model, device }) =>
        benchmark.methods.map(({ name, mode, weightType, options }) => ({
          label: name,
          varied: {},
          spec: trainingSpec(benchmark, { model, weightType, device }, { mode, ...options }),
        })),
      );
  }
}

type PeftBenchmark = Extract<SuiteBenchmark, { task: 'peft' }>;

/** The linear layers of a block that PEFT can name. */
export const LINEAR_LAYERS = [...ATTENTION_LAYERS, ...FEED_FORWARD_LAYERS];

/** A run here, then the same one with PEFT, so that both see the same machine. */
function peftRound(benchmark: PeftBenchmark, cell: Cell, round: number): Draft[] {
  const { sequenceLength, batchSize, rank, steps, warmup, python } = benchmark;
  const own: TrialSpec = {
    kind: 'training',
    ...cell,
    dataset: null,
    validation: null,
    steps,
    warmup,
    epochs: 1,
    targetLosses: [],
    options: {
      sequenceLength,
      batchSize,
      'lora.rank': rank,
      'lora.targets': LINEAR_LAYERS,
      microBatchTokens: sequenceLength * batchSize,
    },
  };
  const other: TrialSpec = {
    kind: 'peft',
    ...cell,
    weightType: 'BF16',
    sequenceLength,
    batchSize,
    rank,
    steps,
    warmup,
    python,
    options: {},
  };
  return [
    { label: `llamatune, round ${round}`, varied: {}, spec: own },
    { label: `PEFT, round ${round}`, varied: {}, spec: other },
  ];
}

type TrainingBenchmark = Exclude<SuiteBenchmark, { task: 'inference' | 'peft' }>;

function trainingSpec(
  benchmark: TrainingBenchmark,
  cell: Cell,
  options: Record<string, unknown>,
): TrialSpec {
  return {
    kind: 'training',
    ...cell,
    dataset: benchmark.dataset ?? null,
    validation: benchmark.validation ?? null,
    steps: benchmark.steps,
    warmup: benchmark.warmup,
    epochs: benchmark.task === 'training' ? benchmark.epochs : 1,
    targetLosses: benchmark.targetLosses,
    options: { ...benchmark.options, ...options },
  };
}

function cellsOf(
  suite: Suite,
  own: Partial<Record<'models' | 'weightTypes' | 'devices', string[] | undefined>>,
): Cell[] {
  const { models = suite.models, weightTypes = suite.weightTypes, devices = suite.devices } = own;
  return models.flatMap((model) =>
    weightTypes.flatMap((weightType) => devices.map((device) => ({ model, weightType, device }))),
  );
}

/** Every combination of the values, the last option varying fastest; one empty combination without options. */
export function combinations(
  vary: Readonly<Record<string, readonly unknown[]>>,
): Record<string, unknown>[] {
  return Object.entries(vary).reduce<Record<string, unknown>[]>(
    (all, [option, values]) =>
      all.flatMap((each) => values.map((value) => ({ ...each, [option]: value }))),
    [{}],
  );
}

/** 'lora.rank 4, batchSize 8' */
function varying(varied: Record<string, unknown>): Pick<Draft, 'label' | 'varied'> {
  const label = Object.entries(varied)
    .map(
      ([option, value]) => `${option} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join(', ');
  return { label, varied };
}
