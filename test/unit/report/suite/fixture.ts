import {
  type Hardware,
  type Measure,
  type Outcome,
  type SuiteResults,
  suiteResultsSchema,
  type TrialResult,
} from '../../../../src/bench/suite/results.js';
import { measureOf, present } from '../../../../src/bench/suite/trial.js';

const ok: Outcome = { status: 'ok' };

function trial(given: Pick<TrialResult, 'benchmark' | 'spec'> & Partial<TrialResult>): TrialResult {
  const { benchmark, label = '', spec } = given;
  return {
    key: [benchmark, spec.model, spec.weightType, spec.device, label].filter(Boolean).join(' | '),
    label,
    varied: {},
    startedAt: '2026-11-28T12:00:00.000Z',
    seconds: 30,
    outcome: ok,
    measures: {},
    details: {},
    series: {},
    experts: null,
    expertSpans: [],
    noise: { loadBefore: 0.1, peakBefore: 400, peakAfter: 410 },
    hardware: null,
    ...given,
  };
}

const inference = (weightType: string, device: string): TrialResult['spec'] => ({
  kind: 'inference',
  model: 'shape:qwen3-0.6b',
  weightType,
  device,
  prompt: 'Tell me a joke about cats',
  runs: 3,
  warmup: 1,
  options: {},
});

const training = (weightType: string, options = {}): TrialResult['spec'] => ({
  kind: 'training',
  model: 'models/base.gguf',
  weightType,
  device: 'cpu',
  dataset: 'train.jsonl',
  validation: null,
  steps: 3,
  warmup: 1,
  epochs: 8,
  targetLosses: [],
  options,
});

const peft: TrialResult['spec'] = {
  kind: 'peft',
  model: 'shape:qwen3-0.6b',
  weightType: 'BF16',
  device: 'cpu',
  sequenceLength: 512,
  batchSize: 4,
  rank: 8,
  steps: 3,
  warmup: 1,
  python: 'python3',
  options: {},
};

const speeds = (...samples: number[]): Record<string, Measure> =>
  present({
    tokensPerSecond: measureOf('tokens/s', samples),
    timeToFirstToken: measureOf(
      's',
      samples.map((speed) => 6 / speed),
    ),
  });

function trained(
  factor: number,
  memory: number,
): Pick<TrialResult, 'measures' | 'details' | 'series'> {
  const seconds = [1.9, 2, 2.2].map((each) => each * factor);
  const whole = (steps: number) =>
    measureOf(
      's',
      seconds.map((each) => each * steps),
      'extrapolated',
    );
  return {
    measures: present({
      tokensPerSecond: measureOf(
        'tokens/s',
        seconds.map((each) => 1024 / each),
      ),
      samplesPerSecond: measureOf(
        'samples/s',
        seconds.map((each) => 8 / each),
      ),
      stepTime: measureOf('s', seconds),
      epochTime: whole(42),
      trainingTime: whole(8 * 42),
      runTime: measureOf('s', [seconds.reduce((a, b) => a + b)]),
      peakMemory: measureOf('bytes', [memory]),
      averageMemory: measureOf('bytes', [0.95 * memory]),
      finalLoss: measureOf('nats', [1.25]),
      stepsCompleted: measureOf('steps', [4]),
    }),
    details: {
      mode: 'lora',
      batchSize: 8,
      precision: 'bf16',
      rank: 8,
      alpha: 16,
      trainableParameters: 1_234_567,
      gradientCheckpointing: false,
      weightCache: true,
      microBatchTokens: 1024,
    },
    series: {
      loss: [2.5, 1.9, 1.5, 1.25],
      learningRate: [1e-4, 8e-5, 4e-5, 1e-5],
      gradientNorm: [3, 2.1, 1.4, 1.2],
    },
  };
}

/** A trial whose measured part took a minute, with the power of the CPU, and of a GPU that it did not use. */
function powered(
  watts: number,
  tokens: number,
  coverage = 1,
): { measures: Record<string, Measure>; hardware: Hardware } {
  const gpu = { source: 'nvidia-smi', device: 'GPU 0', scope: 'gpu' as const };
  const cpu = { source: 'rapl', device: 'CPU package 0', scope: 'cpu' as const };
  const energy = watts / 60;
  const state = (temperature: number, utilization: number) => [
    {
      ...gpu,
      power: 14.2,
      temperature,
      utilization,
      memoryUsed: 2.6e9,
      memoryTotal: 24e9,
    },
  ];
  return {
    measures: present({
      averagePower: measureOf('W', [watts]),
      peakPower: measureOf('W', [1.2 * watts]),
      energy: measureOf('Wh', [energy]),
      tokensPerWh: measureOf('tokens/Wh', [tokens / energy]),
    }),
    hardware: {
      before: state(31, 0),
      after: state(34 + (watts % 3), 0.08),
      power: [
        { ...cpu, average: watts, peak: 1.2 * watts, energy, coverage, counted: true },
        { ...gpu, average: 14.2, peak: 15, energy: 0.237, coverage: 1, counted: false },
      ],
    },
  };
}

/** The measures of a training with those of its power. */
function poweredTraining(factor: number, memory: number, watts: number) {
  const training = trained(factor, memory);
  const power = powered(watts, 30_000 / factor, 0.97);
  return { ...training, ...power, measures: { ...training.measures, ...power.measures } };
}

/** Results with every kind of table and of outcome. */
export const results: SuiteResults = suiteResultsSchema.parse({
  format: 'llamatune-bench',
  version: 1,
  suite: {
    name: 'example',
    description: 'Every kind of table & outcome.',
    electricityPricePerKwh: '$0.15',
    cloudPricePerHour: '2.50 EUR',
    benchmarks: [
      { id: 'inference', task: 'inference', title: 'Inference performance' },
      { id: 'training', task: 'training', title: 'Fine-tuning time' },
      { id: 'rank', task: 'training', title: 'Throughput by LoRA rank' },
      { id: 'reproducibility', task: 'reproducibility', title: 'Reproducibility' },
      { id: 'methods', task: 'methods', title: 'Methods compared' },
      { id: 'peft', task: 'peft', title: 'Compared with PEFT' },
      { id: 'experts', task: 'training', title: 'Fine-tuning time' },
    ],
  },
  machine: {
    cpu: 'Example CPU <8 GHz>',
    cores: 8,
    memoryBytes: 32e9,
    platform: 'linux-x64',
    os: 'Debian GNU/Linux, 12',
    instructionSets: ['avx2', 'fma'],
    environment: { ONEDNN_MAX_CPU_ISA: 'AVX2' },
    devices: [
      { name: 'CUDA0', description: 'Example GPU', memoryBytes: 24e9, driver: '580.65.06' },
    ],
  },
  versions: { llamatune: '0.1.0', 'llama.cpp': '0.5.0' },
  startedAt: '2026-11-28T12:00:00.000Z',
  finishedAt: '2026-11-28T12:10:00.000Z',
  sensors: [
    { source: 'rapl', problem: null },
    { source: 'nvidia-smi', problem: null },
    { source: 'amd-smi or rocm-smi', problem: 'amd-smi did not write JSON' },
  ],
  trials: [
    trial({ benchmark: 'inference', spec: inference('Q4_0', 'cpu'), measures: speeds(50, 60, 55) }),
    trial({ benchmark: 'inference', spec: inference('Q8_0', 'cpu'), measures: speeds(40, 41, 39) }),
    trial({
      benchmark: 'inference',
      spec: inference('F32', 'cpu'),
      outcome: { status: 'oom', message: 'the process used 33.1 GB' },
    }),
    trial({ benchmark: 'training', spec: training('Q4_0'), ...poweredTraining(1, 2e9, 61.5) }),
    trial({ benchmark: 'training', spec: training('Q8_0'), ...poweredTraining(0.9, 2.4e9, 58) }),
    trial({
      benchmark: 'training',
      spec: training('F16'),
      outcome: { status: 'timeout', message: 'the trial took longer than 60 min' },
    }),
    ...[4, 16].map((rank) =>
      trial({
        benchmark: 'rank',
        label: `lora.rank ${rank}`,
        varied: { 'lora.rank': rank },
        spec: training('Q8_0', { 'lora.rank': rank }),
        ...trained(1 + rank / 100, 2e9 + rank * 1e7),
      }),
    ),
    ...[1, 2].map((run) =>
      trial({
        benchmark: 'reproducibility',
        label: `run ${run}`,
        spec: training('Q8_0'),
        ...poweredTraining(1 + run / 100, 2.4e9, 59 + run),
      }),
    ),
    ...[1, 2].flatMap((round) => [
      trial({
        benchmark: 'peft',
        label: `llamatune, round ${round}`,
        spec: { ...training('Q8_0'), model: 'shape:qwen3-0.6b' },
        ...trained(1, 2.4e9),
      }),
      trial({
        benchmark: 'peft',
        label: `PEFT, round ${round}`,
        spec: peft,
        measures: trained(2 + round / 10, 5e9).measures,
      }),
    ]),
    trial({
      benchmark: 'experts',
      spec: {
        ...training('Q8_0'),
        model: 'shape:qwen3-30b-a3b,layers=2,experts=4',
        dataset: null,
      } as TrialResult['spec'],
      ...trained(1, 2e9),
      experts: [
        { layer: 0, counts: [10, 20, 30, 40] },
        { layer: 1, counts: [0, 50, 25, 25] },
      ],
      expertSpans: [1, 2, 3].map((step) => ({
        firstStep: step,
        lastStep: step,
        layers: [
          { layer: 0, counts: [10 * step, 20, 30, 40] },
          { layer: 1, counts: [0, 50, step === 2 ? 0 : 25, 25] },
        ],
      })),
    }),
    trial({
      benchmark: 'methods',
      label: 'LoRA on F16',
      spec: training('F16'),
      ...trained(1, 3.1e9),
    }),
    trial({
      benchmark: 'methods',
      label: 'LoRA | 4-bit',
      spec: training('Q4_0'),
      ...trained(1.4, 1.3e9),
    }),
    trial({
      benchmark: 'methods',
      label: 'full',
      spec: training('F32', { mode: 'full' }),
      outcome: { status: 'failed', code: 'UNSUPPORTED_OP', message: 'no rule for an op' },
    }),
  ],
});
