import { createModelSchema } from '../../config/create-model.js';
import { finetuneSchema } from '../../config/finetune.js';
import { generateSchema } from '../../config/generate.js';
import { configError, parseConfig } from '../../config/parse.js';
import { type ConfigProblem, LlamatuneError } from '../../errors.js';
import { nestedOptions } from './options.js';
import type { PlannedTrial } from './plan.js';
import { FEWEST_SHAPE_TOKENS, isShape, shapeOf } from './shapes.js';

/** Options that a trial sets itself. */
const OWN_OPTIONS = {
  inference: ['model', 'prompt', 'messages', 'signal'],
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
 * Checks the options of every trial before the first one runs.
 *
 * @throws LlamatuneError CONFIG_INVALID with the problems of all trials
 */
export function checkTrials(trials: readonly PlannedTrial[]): void {
  const problems = new Map<string, ConfigProblem>();
  for (const model of new Set(trials.map(({ spec }) => spec.model))) {
    for (const message of shapeProblems(model)) {
      problems.set(message, { path: 'models', message });
    }
  }
  for (const trial of trials) {
    for (const problem of problemsOf(trial)) {
      const inside = trial.spec.kind === 'peft' ? '' : 'options.';
      const path = `${trial.benchmark}.${inside}${problem.path}`;
      problems.set(`${path} ${problem.message}`, { path, message: problem.message });
    }
  }
  if (problems.size > 0) throw configError([...problems.values()], 'benchmark suite');
}

function problemsOf({ spec }: PlannedTrial): ConfigProblem[] {
  if (spec.kind === 'peft') return peftProblems(spec.model);
  const options = nestedOptions({ device: spec.device, ...spec.options });
  const own = OWN_OPTIONS[spec.kind].filter((name) => Object.hasOwn(options, name));
  for (const name of own) delete options[name];
  return [
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
}

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
