import { z } from 'zod';
import { type ConfigProblem, LlamatuneError } from '../errors.js';
import { type FieldReader, withCrossFieldRules } from './cross-field.js';
import {
  chatTemplate,
  isIterable,
  model,
  path,
  placementProblems,
  placementShape,
  seed,
  signal,
  threads,
} from './fields.js';
import { type FinetuneInput, finetuneSchema } from './finetune.js';
import { type GenerateOptions, generateSchema, type Prompt } from './generate.js';
import { inapplicableProblems, without } from './inapplicable.js';
import { parseConfig } from './parse.js';
import { type VerifierOptions, verifierSchema } from './verifier.js';

/** Whether prompts are those that come with llamatune: 'cpp'. */
export const areBuiltIn = (prompts: unknown): boolean => prompts === 'cpp';

/**
 * A prompt of `raft()`: as in `generate()`, as an object with the expected answer, if the verifier needs one, in `expected`,
 * in `completion`, or in a last message of the assistant. Verifiers can read other columns.
 */
export type RaftPrompt = Prompt | (Prompt & { expected?: string | number | null });

/** 'cpp', path of a file of prompts, or prompts from memory. */
export type RaftPromptSource = string | Iterable<RaftPrompt> | AsyncIterable<RaftPrompt>;

/** Options that the calls share, or that raft() sets itself. */
const SHARED = ['model', 'seed', 'signal', 'chatTemplate', 'threads'] as const;
type SharedOption = (typeof SHARED)[number] | keyof ReturnType<typeof placementShape>;
const OF_GENERATION = ['prompt', 'messages', 'prompts', 'n', 'adapters'] as const;
const OF_FINETUNE = ['dataset', 'output', 'mode', 'checkpoint', 'modelCard', 'onEvent'] as const;
const shared = (): string[] => [...SHARED, ...Object.keys(placementShape())];

/** Names of the options of `generate()` that raft() sets. */
export const ownGenerationOptions = (): string[] => [...shared(), ...OF_GENERATION];
/** Names of the options of `finetune()` that raft() sets. */
export const ownFinetuneOptions = (): string[] => [...shared(), ...OF_FINETUNE, 'lora.initAdapter'];

export type RaftGenerationOptions = Omit<
  GenerateOptions,
  SharedOption | (typeof OF_GENERATION)[number]
>;
export type RaftFinetuneOptions = Omit<FinetuneInput, SharedOption | (typeof OF_FINETUNE)[number]>;

/** A verifier: its type, its options, or a function. */
type GivenVerifier = VerifierOptions | VerifierOptions['type'] | ((...values: never[]) => unknown);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const nested = <T extends object>(description: string) =>
  z
    .custom<T>(isObject)
    .prefault({} as T)
    .meta({ typeText: 'object', description });

const prompts = (description: string) =>
  z
    .custom<RaftPromptSource>(
      (value) => (typeof value === 'string' && value !== '') || isIterable(value),
    )
    .meta({
      typeText: "path of a file, 'cpp', or an iterable of prompts",
      cli: 'path',
      description,
    });

/** Options that have an effect with select 'best' only. */
const OF_BEST = ['best', 'minScore'] as const;

const filterFields = z.strictObject({
  select: z
    .enum(['passing', 'best', 'one'])
    .default('passing')
    .describe(
      'Answers to keep of each prompt: all that passed (passing), those with the highest scores, passed or not, up to ' +
        '`best` of them (best), or one that passed (one).',
    ),
  best: z.int32().min(1).default(1).describe("With select 'best': answers of each prompt."),
  minScore: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("With select 'best': lowest score that is kept."),
  dedupe: z
    .boolean()
    .default(true)
    .describe('Keep one of several answers to a prompt that differ in white space only.'),
  maxPerPrompt: z
    .int32()
    .min(1)
    .optional()
    .describe('Most answers of each prompt, so that easy prompts do not dominate. Default: all.'),
  balance: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Column of the prompts, e.g. 'category': each of its values keeps as many answers as the one with the fewest, of those " +
        'with any. Default: no balance.',
    ),
  keepTruncated: z
    .boolean()
    .default(false)
    .describe('Keep answers that reached maxTokens. They teach the model to stop there.'),
});

const filter = filterFields.transform((given) =>
  without(given, given.select === 'best' ? [] : OF_BEST),
);

const evaluation = z.strictObject({
  prompts: prompts(
    'Held-out prompts for the evaluations. Default: the prompts of the training.',
  ).optional(),
  samples: z
    .int()
    .min(1)
    .max(65536)
    .optional()
    .describe(
      'Answers per prompt in evaluations. It can be raised when a run continues. Default: samples.',
    ),
  everyCycle: z
    .boolean()
    .optional()
    .describe(
      'Evaluate after every cycle, not only after the last one. Default: with evaluation.prompts; without them the samples ' +
        'of the next cycle tell the same.',
    ),
});

const base = z.strictObject({
  model: model(),
  prompts: prompts(
    "Prompts to learn from: 'cpp' for 16 built-in C++ tasks, a file of rows in a format of datasets, .txt with one prompt " +
      'per line, or an iterable.',
  ),
  verifier: z
    .custom<GivenVerifier>(
      (value) => typeof value === 'string' || typeof value === 'function' || isObject(value),
    )
    .optional()
    .meta({
      typeText: 'type of a verifier, its options, or a function',
      description:
        "Decides whether an answer is right: 'numeric', { type: 'regex', pattern }, or a function of the answer and its " +
        'task. docs/verifying.md describes the verifiers. Default with the C++ prompts: compile, run and compare the output.',
    }),
  output: path('Folder for samples, adapters, measurements and the report.'),
  adapter: path(
    'LoRA adapter to start from, e.g. of supervised fine-tuning. Default: a new adapter.',
  ).optional(),
  cycles: z
    .int()
    .min(1)
    .max(1000)
    .default(3)
    .describe('Number of cycles. It can be raised when a run continues.'),
  samples: z
    .int()
    .min(1)
    .max(65536)
    .default(8)
    .describe('Answers per prompt in each cycle, of which the verified ones are learned.'),
  filter: filter.prefault({}).describe('Which verified answers are learned.'),
  onNoneKept: z
    .enum(['continue', 'stop'])
    .default('continue')
    .describe(
      'If a cycle keeps no answer: sample again in the next cycle, or end the cycles. Nothing is trained in either case.',
    ),
  generation: nested<RaftGenerationOptions>(
    'Options of generate() for all answers, e.g. { temperature: 1, maxTokens: 512 }.',
  ),
  finetune: nested<RaftFinetuneOptions>(
    'Options of finetuneLora() for each cycle, e.g. { epochs: 2, lora: { rank: 16 } }.',
  ),
  learningRateDecay: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe('Factor of the learning rate from each cycle to the next (1 = the same rate).'),
  evaluation: evaluation.prefault({}).describe('Evaluations before, between and after the cycles.'),
  passAt: z
    .array(z.int32().min(1))
    .min(1)
    .optional()
    .describe(
      'Values of k for pass@k in addition to 1. Default: the number of answers per prompt.',
    ),
  verifyParallel: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('Answers that are verified at the same time. Default: one per CPU core.'),
  resume: z
    .boolean()
    .default(false)
    .describe('Continue the run in the folder; starts a new run if the folder has none.'),
  chatTemplate: chatTemplate(),
  seed: seed(),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** The problems that another schema finds in options that are nested here, with their paths. */
function problemsIn(
  field: string,
  schema: z.ZodType,
  options: Record<string, unknown>,
): ConfigProblem[] {
  try {
    parseConfig(schema, options);
    return [];
  } catch (error) {
    if (!(error instanceof LlamatuneError)) throw error;
    return error.problems.map(({ path: at, message }) => ({
      path: at === '' ? field : `${field}.${at}`,
      message,
    }));
  }
}

/** Stands for what finetune() needs and raft() sets. */
export const FINETUNE_NEEDS = { model: '-', dataset: [], output: '-' };

/** The problems of options for a call, of which `own` are set here. */
function nestedProblems(
  read: FieldReader,
  field: 'generation' | 'finetune',
  own: readonly string[],
): ConfigProblem[] {
  const given = read.value(field);
  if (!isObject(given)) return [];
  const refused = own
    .map((name) => `${field}.${name}`)
    .filter(read.given)
    .map((at) => ({ path: at, message: 'expected no value, because raft() sets this option' }));
  if (refused.length > 0) return refused;
  const [schema, required] =
    field === 'generation'
      ? [generateSchema, { model: '-', prompt: '-' }]
      : [finetuneSchema, FINETUNE_NEEDS];
  return problemsIn(field, schema, { ...given, ...required });
}

function verifierProblems(read: FieldReader): ConfigProblem[] {
  const given = read.value('verifier');
  if (given === undefined) {
    const needed = !areBuiltIn(read.value('prompts'));
    const message = "expected a verifier such as 'numeric' but received nothing";
    return needed ? [{ path: 'verifier', message }] : [];
  }
  if (typeof given === 'string') return problemsIn('verifier', verifierSchema, { type: given });
  return isObject(given) ? problemsIn('verifier', verifierSchema, given) : [];
}

/** Refuses values of k above the number of answers, for which pass@k cannot be estimated. */
function passAtProblems(read: FieldReader): ConfigProblem[] {
  const values = read.value('passAt');
  const samples = read.number('samples');
  const fewest = Math.min(samples ?? 0, read.number('evaluation.samples') ?? samples ?? 0);
  if (!Array.isArray(values) || fewest === 0) return [];
  return values.flatMap((k: unknown, i) =>
    typeof k === 'number' && k > fewest
      ? [
          {
            path: `passAt.${i}`,
            message: `expected at most the number of answers per prompt (${fewest}) but received ${k}`,
          },
        ]
      : [],
  );
}

/** Refuses a decay that ends below the smallest rate of the schedule. */
function decayProblems(read: FieldReader): ConfigProblem[] {
  const [decay, cycles] = [read.number('learningRateDecay'), read.number('cycles')];
  const given = read.value('finetune');
  if (decay === undefined || cycles === undefined || !isObject(given)) return [];
  const parsed = finetuneSchema.safeParse({ ...given, ...FINETUNE_NEEDS });
  if (!parsed.success) return [];
  const { optimizer, scheduler } = parsed.data;
  const least = scheduler.minLearningRate ?? 0;
  const last = optimizer.learningRate * decay ** (cycles - 1);
  if (last >= least) return [];
  const message = `expected a last learning rate of at least finetune.scheduler.minLearningRate (${least}) but received one of ${last.toPrecision(3)}`;
  return [{ path: 'learningRateDecay', message }];
}

/** Refuses options of a filter that have no effect. */
function filterProblems(read: FieldReader): ConfigProblem[] {
  if (read.value('filter.select') === 'best') return [];
  return inapplicableProblems(read, 'filter.select', 'filter', OF_BEST);
}

/** Schema of the options of `raft()`. */
export const raftSchema = withCrossFieldRules(base, (read) => [
  ...placementProblems(read),
  ...nestedProblems(read, 'generation', ownGenerationOptions()),
  ...nestedProblems(read, 'finetune', ownFinetuneOptions()),
  ...verifierProblems(read),
  ...passAtProblems(read),
  ...filterProblems(read),
  ...decayProblems(read),
]);

/** What the schema of `raft()` accepts. */
export type RaftInput = z.input<typeof raftSchema>;
/** The same with every default filled in. */
export type RaftConfig = z.output<typeof raftSchema>;
