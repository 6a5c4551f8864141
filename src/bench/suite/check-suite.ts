import { createModelSchema } from '../../config/create-model.js';
import { finetuneSchema } from '../../config/finetune.js';
import { generateSchema } from '../../config/generate.js';
import { configError, parseConfig } from '../../config/parse.js';
import { benchmarkId, type Suite, type SuiteBenchmark } from '../../config/suite.js';
import { type ConfigProblem, LlamatuneError } from '../../errors.js';
import { AS_IS } from './models.js';
import { nestedOptions } from './options.js';
import type { PlannedTrial } from './plan.js';
import { FEWEST_SHAPE_TOKENS, isShape, shapeOf } from './shapes.js';

/** Options that a trial sets itself. */
const OWN_OPTIONS = {
  inference: ['model', 'prompt', 'messages', 'prompts', 'signal'],
  training: [
    'model',
    'dataset',
    'output',
    'epochs',
    'maxSteps',
    'validation',
    'checkpoint',
    'signal',
  ],
  peft: [],
} as const;

/**
 * Checks models, weight types and the options of every trial before the first one runs.
 *
 * @param weightTypes the types that models can be converted to.
 * @throws LlamatuneError CONFIG_INVALID with the problems of all trials, each with its path in the suite
 */
export function checkTrials(
  suite: Suite,
  trials: readonly PlannedTrial[],
  weightTypes: readonly string[],
): void {
  const problems = new Map<string, ConfigProblem>();
  for (const trial of trials) {
    const index = suite.benchmarks.findIndex((each) => benchmarkId(each) === trial.benchmark);
    const benchmark = suite.benchmarks[index]!;
    for (const { path, message } of problemsOf(trial, benchmark, weightTypes)) {
      // The matrix may be that of the whole suite.
      const isShared = path in MATRIX && !Object.hasOwn(definedOf(benchmark), path);
      const place = isShared ? path : `benchmarks.${index}.${path}`;
      problems.set(`${place} ${message}`, { path: place, message });
    }
  }
  if (problems.size > 0) throw configError([...problems.values()], 'benchmark suite');
}

/** Fields that a benchmark may set differently from the suite. */
const MATRIX = { models: true, weightTypes: true, devices: true };

const definedOf = (benchmark: SuiteBenchmark): object =>
  Object.fromEntries(Object.entries(benchmark).filter(([, value]) => value !== undefined));

/** The problems of a trial, each with its path in the benchmark. */
function problemsOf(
  trial: PlannedTrial,
  benchmark: SuiteBenchmark,
  weightTypes: readonly string[],
): ConfigProblem[] {
  const { spec } = trial;
  return [
    ...shapeProblems(spec.model).map((message) => ({ path: 'models', message })),
    ...weightTypeProblems(trial, benchmark, weightTypes),
    ...(spec.kind === 'peft' ? peftProblems(spec.model) : optionProblems(trial, benchmark)),
  ];
}

function weightTypeProblems(
  { label, spec }: PlannedTrial,
  benchmark: SuiteBenchmark,
  known: readonly string[],
): ConfigProblem[] {
  const { weightType } = spec;
  if (weightType === AS_IS || known.includes(weightType.toUpperCase())) return [];
  const path =
    benchmark.task === 'methods'
      ? `methods.${methodIndex(benchmark, label)}.weightType`
      : 'weightTypes';
  const message = `expected '${AS_IS}' or one of ${known.join(', ')} but received '${weightType}'`;
  return [{ path, message }];
}

type MethodsBenchmark = Extract<SuiteBenchmark, { task: 'methods' }>;

const methodIndex = ({ methods }: MethodsBenchmark, label: string): number =>
  methods.findIndex(({ name }) => name === label);

function optionProblems(trial: PlannedTrial, benchmark: SuiteBenchmark): ConfigProblem[] {
  const { spec } = trial;
  if (spec.kind === 'peft') return [];
  const options = nestedOptions({ device: spec.device, ...spec.options });
  const own = OWN_OPTIONS[spec.kind].filter((name) => Object.hasOwn(options, name));
  for (const name of own) delete options[name];
  const problems = [
    ...own.map((path) => ({
      path,
      message: 'expected no value, because the benchmark sets this option',
    })),
    ...parseProblems(
      spec.kind === 'inference'
        ? () => parseConfig(generateSchema, { ...options, model: '-', prompt: spec.prompt })
        : () => parseConfig(finetuneSchema, { ...options, model: '-', dataset: [], output: '-' }),
    ),
  ];
  return problems.map(({ path, message }) => ({
    path: pathInBenchmark(path, trial, benchmark),
    message,
  }));
}

/** Where a benchmark gives an option of its trials. */
function pathInBenchmark(
  option: string,
  { label, varied, spec }: PlannedTrial,
  benchmark: SuiteBenchmark,
): string {
  const names = (given: object) =>
    Object.keys(given).some((name) => option === name || option.startsWith(`${name}.`));
  if (benchmark.task === 'peft') return PEFT_FIELDS[option] ?? option;
  if (names(varied)) return `vary.${option}`;
  if (benchmark.task === 'methods') {
    const index = methodIndex(benchmark, label);
    if (names(benchmark.methods[index]!.options)) return `methods.${index}.options.${option}`;
  }
  const isDevice = option === 'device' && !Object.hasOwn(spec.options, 'device');
  return isDevice ? 'devices' : `options.${option}`;
}

/** The fields of a comparison with PEFT that set the options of the training here. */
const PEFT_FIELDS: Readonly<Record<string, string>> = {
  'lora.rank': 'rank',
  microBatchTokens: 'batchSize',
  device: 'devices',
};

/** What is wrong with the numbers of a shape, in words. */
function shapeProblems(model: string): string[] {
  if (!isShape(model)) return [];
  const { vocabularySize, ...options } = shapeOf(model);
  const wrong = parseProblems(() =>
    parseConfig(createModelSchema, { ...options, path: '-', vocabulary: { from: '-' } }),
  );
  return [
    ...wrong.map(({ path, message }) => `'${model}': ${path}: ${message}`),
    ...(vocabularySize < FEWEST_SHAPE_TOKENS
      ? [
          `'${model}': vocabularySize: expected at least ${FEWEST_SHAPE_TOKENS} but received ${vocabularySize}`,
        ]
      : []),
  ];
}

function parseProblems(parse: () => unknown): readonly ConfigProblem[] {
  try {
    parse();
    return [];
  } catch (error) {
    if (error instanceof LlamatuneError) return error.problems;
    throw error;
  }
}

/** Architectures that the script for PEFT can build. */
const PEFT_ARCHITECTURES = ['llama', 'qwen3'];

function peftProblems(model: string): ConfigProblem[] {
  const architecture = isShape(model) ? shapeOf(model).architecture : undefined;
  if (PEFT_ARCHITECTURES.includes(String(architecture))) return [];
  return [
    {
      path: 'models',
      message: `expected shapes of the architectures ${PEFT_ARCHITECTURES.join(' and ')} but received '${model}'`,
    },
  ];
}
