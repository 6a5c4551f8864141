import { z } from 'zod';
import type { AnswerSample } from './answer-sample.js';
import { type ChatMessage, chatMessageSchema } from './chat-message.js';
import { withCrossFieldRules } from './cross-field.js';
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
import { generateSchema, maxTokensProblem } from './generate.js';

/**
 * An answer of a system, as `llamatune evaluate` and `llamatune raft` write it. Other keys are ignored. Answers of different
 * systems with the same index and sample are compared, and one of the systems must have the prompt. Pairs with an answer
 * that a system did not give (`output` null, `finishReason` 'error') are counted and not judged.
 */
export type JudgeSample = Pick<AnswerSample, 'index' | 'output'> & {
  [K in Exclude<keyof AnswerSample, 'index' | 'output' | 'scores'>]?:
    | AnswerSample[K]
    | null
    | undefined;
};

/** Two answers to the same prompt; they are judged as systems 'a' and 'b'. */
export interface JudgePair {
  prompt: string | readonly ChatMessage[];
  reference?: string | null | undefined;
  a: string;
  b: string;
}

/** Two answers of which the better one is known, to check the judge with. */
export interface CheckPair {
  prompt: string | readonly ChatMessage[];
  reference?: string | null | undefined;
  better: string;
  worse: string;
}

/** A JSON Lines file, or rows from memory. */
export type JudgeRows<T> = string | Iterable<T> | AsyncIterable<T>;
/** Answers: a JSON Lines file, with a name for its system if the lines have none or another one, or rows from memory. */
export type SampleSource = string | { system: string; samples: JudgeRows<JudgeSample> };

const messages = z.array(chatMessageSchema).min(1);
const promptOf = z.union([z.string(), messages]);
const reference = z.string().nullish();

/** Schema of a line of a samples file. */
export const sampleSchema = z.looseObject({
  index: z.int32().min(0),
  sample: z.int32().min(0).default(0),
  system: z.string().min(1).nullish(),
  prompt: promptOf.nullish(),
  reference,
  output: z.string().nullable(),
  finishReason: z.string().nullish(),
});
/** Schema of a pair of answers. */
export const pairSchema = z.looseObject({
  prompt: promptOf,
  reference,
  a: z.string(),
  b: z.string(),
});
/** Schema of a pair with a known winner. */
export const checkPairSchema = z.looseObject({
  prompt: promptOf,
  reference,
  better: z.string(),
  worse: z.string(),
});

const isRows = (value: unknown): boolean =>
  (typeof value === 'string' && value !== '') || (typeof value !== 'string' && isIterable(value));

const isSource = (value: unknown): value is SampleSource => {
  if (typeof value === 'string') return value !== '';
  const { system, samples, ...rest } = (value ?? {}) as Record<string, unknown>;
  return (
    Object.keys(rest).length === 0 && typeof system === 'string' && system !== '' && isRows(samples)
  );
};

const { parallel, contextLength } = generateSchema.shape;

/** Placeholders of a prompt of the judge. */
export const PLACEHOLDERS = [
  ...['prompt', 'answerA', 'answerB', 'rubric', 'reference', 'instruction'],
] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** The placeholders in a template. Braces around other text than letters are no placeholders. */
export const placeholdersIn = (template: string): string[] =>
  [...template.matchAll(/\{([a-zA-Z]+)\}/g)].map(([, name]) => name!);

const base = z.strictObject({
  model: model().meta({
    description: 'Judge: path of a GGUF file with a chat template, or a loaded model.',
    cli: 'path',
  }),
  samples: z
    .custom<readonly SampleSource[]>(
      (value) => Array.isArray(value) && value.length > 0 && value.every(isSource),
    )
    .optional()
    .meta({
      typeText: 'array of paths or { system, samples }',
      description:
        'Answers of the systems: JSON Lines files of evaluate or raft, each with a name for its system if the lines have none. ' +
        'Give samples or pairs.',
    }),
  pairs: z.custom<JudgeRows<JudgePair>>(isRows).optional().meta({
    typeText: 'path, or an iterable of { prompt, a, b }',
    cli: 'path',
    description: "Pairs of answers to compare, as systems 'a' and 'b'. Give samples or pairs.",
  }),
  baseline: z
    .string()
    .min(1)
    .optional()
    .describe('System that the others are compared with. Default: each with each.'),
  prompt: z
    .string()
    .min(1)
    .optional()
    .describe(
      `Prompt of the judge with the placeholders {answerA}, {answerB} and, if needed, {prompt}, {rubric}, {reference}, {instruction}. Default: docs/judging.md.`,
    ),
  rubric: z
    .string()
    .min(1)
    .optional()
    .describe('What makes an answer better, for {rubric}. Default: docs/judging.md.'),
  explain: z
    .boolean()
    .default(false)
    .describe('Let the judge explain its decision before the verdict.'),
  constrained: z
    .boolean()
    .default(true)
    .describe(
      'Let the judge only write a verdict, by a grammar. Off: the text is searched for one.',
    ),
  check: z
    .custom<'auto' | 'none' | JudgeRows<CheckPair>>(isRows)
    .default('auto')
    .meta({
      typeText: "'auto' | 'none' | path | iterable of { prompt, better, worse }",
      cli: 'path',
      description:
        'Pairs with a known winner that the judge is checked with. auto: the reference of each row against the reference of ' +
        'another one, if there are references. none: no check.',
    }),
  checkPairs: z.int32().min(1).default(50).describe('Most pairs of the check.'),
  maxTokens: z
    .int32()
    .min(1)
    .optional()
    .describe('Most tokens of an answer of the judge. Default: 16, with explain 256.'),
  temperature: z
    .number()
    .min(0)
    .default(0)
    .describe('Sampling temperature of the judge (0 = greedy: always the most likely token).'),
  seed: seed(),
  output: path(
    'Folder to write results.json, verdicts.jsonl and the report to. Default: none.',
  ).optional(),
  resume: z
    .boolean()
    .default(false)
    .describe('Continue the run in the folder; starts a new run if the folder has none.'),
  chatTemplate: chatTemplate(),
  parallel,
  contextLength,
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Schema of the options of `judge()`. */
export const judgeSchema = withCrossFieldRules(base, (read) => {
  const has = (name: string) => read.value(name) !== undefined;
  const given = ['samples', 'pairs'].filter(has);
  const prompt = read.value('prompt');
  const used = typeof prompt === 'string' && prompt !== '' ? placeholdersIn(prompt) : undefined;
  const missing = ['answerA', 'answerB'].filter((name) => used && !used.includes(name));
  const unknown = (used ?? []).filter((name) => !PLACEHOLDERS.some((known) => known === name));
  const expected = (problems: string[], what: string) =>
    problems.map((name) => ({ path: 'prompt', message: what.replace('NAME', `{${name}}`) }));
  return [
    ...placementProblems(read),
    ...expected(missing, 'expected the placeholder NAME but received a prompt without it'),
    ...expected(
      [...new Set(unknown)],
      `expected the placeholders ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')} but received NAME`,
    ),
    has('rubric') && used && !used.includes('rubric')
      ? {
          path: 'rubric',
          message: 'expected {rubric} in the prompt but received a prompt without it',
        }
      : undefined,
    read.value('resume') === true && !has('output')
      ? { path: 'resume', message: 'expected a folder in output but received none' }
      : undefined,
    given.length !== 1
      ? {
          path: 'samples',
          message: `expected one of samples and pairs but received ${given.join(' and ') || 'none'}`,
        }
      : undefined,
    maxTokensProblem(read),
  ];
});

/** Options of `judge()`. Each option is documented in docs/configuration.md. */
export type JudgeOptions = z.input<typeof judgeSchema>;
/** The same with every default filled in. */
export type JudgeConfig = z.output<typeof judgeSchema>;
