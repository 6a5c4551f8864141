import { z } from 'zod';
import type { ChatMessage } from './chat-message.js';
import { withCrossFieldRules } from './cross-field.js';
import {
  callback,
  dataset,
  model,
  path,
  placementProblems,
  placementShape,
  signal,
} from './fields.js';
import { generateSchema } from './generate.js';

/** A row with the answer of one system, as a scorer of the user sees it. */
export interface ScorerInput {
  /** Position of the row in the dataset, from 0. */
  index: number;
  /** The name of the system. */
  system: string;
  /** null for rows that have no prompt. */
  prompt: string | readonly ChatMessage[] | null;
  /** The first reference; null if the row has none. */
  reference: string | null;
  /** All of them. */
  references: readonly string[];
  /** The answer, without its reasoning if stripThinking is on. */
  output: string;
  /** The row as the dataset has it. */
  row: unknown;
  signal: AbortSignal;
}

/** Scores an answer with a finite number. true is 1, false is 0. */
export type Scorer = (input: ScorerInput) => number | boolean | Promise<number | boolean>;

const systemName = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}]+$/u, 'a name without control characters');

const system = z.strictObject({
  name: systemName
    .optional()
    .describe(
      'Name in the results. Default: that of the last adapter, the outputs or the model, without folder and extension.',
    ),
  model: model().optional(),
  adapters: generateSchema.shape.adapters,
  chatTemplate: generateSchema.shape.chatTemplate,
  outputs: path(
    'Instead of a model: outputs that another program wrote, one row per answer with an index or id and the output.',
  ).optional(),
  outputField: z
    .string()
    .min(1)
    .default('output')
    .describe('Column of outputs that holds the answer.'),
});

type SystemConfig = z.output<typeof system>;

const NAME = /^[\w-]{1,60}$/;
const NAME_TEXT = 'letters, digits, hyphens and underscores';

const taskFields = {
  name: z
    .string()
    .regex(NAME, NAME_TEXT)
    .optional()
    .describe('Name in the results. Default: the type.'),
};

const labelsSchema = z
  .union([
    z.array(z.string().min(1)).min(2),
    z
      .record(z.string().min(1), z.array(z.string().min(1)))
      .refine((labels) => Object.keys(labels).length >= 2, 'expected at least 2 labels'),
  ])
  .transform(
    (given): Record<string, readonly string[]> =>
      Array.isArray(given) ? Object.fromEntries(given.map((label) => [label, []])) : given,
  );

const type = <T extends string>(name: T, description: string) =>
  z.literal(name).describe(description);

const taskSchemas = [
  z.strictObject({
    type: type('classification', 'Compare the label of the answer with that of the row.'),
    ...taskFields,
    labels: labelsSchema.optional().meta({
      typeText: 'array of labels, or { label: [synonyms] }',
      description:
        'Labels, with other words for them. Default: yes, no and uncertain with usual synonyms.',
    }),
    labelField: z
      .string()
      .min(1)
      .default('label')
      .describe(
        'Column with the expected label. Rows without it have the label of their reference.',
      ),
  }),
  z.strictObject({
    type: type('exact-match', "Compare with the reference after SQuAD's normalization."),
    ...taskFields,
  }),
  z.strictObject({
    type: type(
      'token-f1',
      "F1 of the words shared with the reference, after SQuAD's normalization.",
    ),
    ...taskFields,
  }),
  z.strictObject({
    type: type('rouge-l', 'ROUGE-L: the longest common subsequence of words with the reference.'),
    ...taskFields,
    beta: z
      .number()
      .positive()
      .max(1000)
      .default(1)
      .describe('Weight of recall: 1 weighs it like precision, more favours it.'),
  }),
  z.strictObject({
    type: type('jaccard', 'Words shared with the reference, divided by all words of both.'),
    ...taskFields,
  }),
  z.strictObject({
    type: type('json', 'Whether the answer is JSON that fits a schema.'),
    ...taskFields,
    schema: z
      .union([z.record(z.string(), z.unknown()), z.boolean()])
      .default({})
      .meta({ typeText: 'JSON schema', description: 'JSON schema. Default: any JSON is valid.' }),
  }),
  z.strictObject({
    type: type('custom', 'A function of yours scores the answers.'),
    name: z.string().regex(NAME, NAME_TEXT).describe('Name in the results.'),
    score: callback<Scorer>(
      'Gets the answer with its row and returns a finite number or boolean, or a promise of it.',
    ),
    higherIsBetter: z.boolean().default(true).describe('Whether a higher score is better.'),
  }),
] as const;

const task = z.discriminatedUnion('type', taskSchemas);

/** A task of an evaluation with every default filled in. */
export type TaskConfig = z.output<typeof task>;
export type TaskType = TaskConfig['type'];

/** The schema of each task, and of a system, for the reference of all options. */
export const evaluationSchemas: Readonly<Record<string, z.ZodType>> = {
  system,
  ...Object.fromEntries(taskSchemas.map((schema) => [`task ${schema.shape.type.value}`, schema])),
};

/** Tasks that can be given by their name alone. */
const PLAIN_TASKS = taskSchemas
  .map((schema) => schema.shape.type.value)
  .filter((type) => type !== 'custom');

const tasks = z
  .array(z.union([z.enum(PLAIN_TASKS).transform((type) => task.parse({ type })), task]))
  .min(1)
  .meta({
    typeText: `array of ${PLAIN_TASKS.map((type) => `'${type}'`).join(', ')}, or { type, … }`,
    description:
      'What to measure, e.g. classification, or { type: classification, labels: [positive, negative] }; ' +
      'docs/evaluating.md lists the options of each task.',
  });

const generation = generateSchema.shape;
const generationFields = {
  maxTokens: generation.maxTokens,
  temperature: generation.temperature
    .unwrap()
    .default(0)
    .describe(generation.temperature.description ?? ''),
  topK: generation.topK,
  topP: generation.topP,
  minP: generation.minP,
  repeatPenalty: generation.repeatPenalty,
  repeatLastN: generation.repeatLastN,
  seed: generation.seed,
  stop: generation.stop,
  grammar: generation.grammar,
  parallel: generation.parallel,
  contextLength: generation.contextLength,
  flashAttention: generation.flashAttention,
  threads: generation.threads,
  ...placementShape(),
};

const base = z.strictObject({
  dataset: dataset('Rows with prompts and references, in any format of finetune().'),
  systems: z.array(system).min(1).meta({
    typeText: 'array of { name, model, adapters, chatTemplate } or { name, outputs }',
    description:
      'What to compare: models with or without adapters, and files of outputs that another program wrote.',
  }),
  tasks,
  output: path(
    'Folder for the results, the report and every answer. Default: nothing is written.',
  ).optional(),
  answerMarker: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Text that separates prompt and reference in rows { text }, e.g. '\\nA:'; its last occurrence counts and belongs to the " +
        'prompt. Default: rows { text } have no prompt.',
    ),
  referenceField: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Column with the reference: a text, or a list of texts of which the best counts. Default: the last answer or the ' +
        'completion of the row.',
    ),
  idField: z.string().min(1).default('id').describe('Column that identifies rows in outputs.'),
  maxRows: z.int32().min(1).optional().describe('Use only this many rows from the start.'),
  badRows: z
    .enum(['error', 'skip'])
    .default('error')
    .describe('Rows that a task cannot use: fail, or leave them out and report them.'),
  stripThinking: z
    .boolean()
    .default(true)
    .describe('Score only what follows </think>, which ends the reasoning of some models.'),
  ...generationFields,
  signal: signal(),
});

/** The name of a system that has none: of its last adapter, its outputs or its model, without folder and extension. */
export function nameOfSystem({ name, model: given, adapters, outputs }: SystemConfig): string {
  if (name !== undefined) return name;
  const file =
    outputs ?? adapters.at(-1)?.path ?? (typeof given === 'string' ? given : given?.path);
  return (file ?? '').replace(/^.*[/\\]/, '').replace(/\.[^.]+$/, '') || 'system';
}

/** Schema of the options of `evaluate()`. */
export const evaluateSchema = withCrossFieldRules(base, (read) => {
  const systems = listOf(read.value('systems'));
  const names = systems.map((each) => {
    const parsed = system.safeParse(each);
    return parsed.success ? nameOfSystem(parsed.data) : undefined;
  });
  const taskNames = listOf(read.value('tasks')).map((each) => {
    const { type, name } = (typeof each === 'string' ? { type: each } : (each ?? {})) as {
      [key: string]: unknown;
    };
    return typeof name === 'string' ? name : typeof type === 'string' ? type : undefined;
  });
  const handle = systems
    .map((each) => (each as { model?: unknown } | null)?.model)
    .find((given) => typeof given === 'object');
  return [
    ...placementProblems({
      ...read,
      value: (name) => (name === 'model' ? handle : read.value(name)),
    }),
    ...systems.map((each, i) => {
      const { model: given, outputs } = (each ?? {}) as { [key: string]: unknown };
      if ((given === undefined) !== (outputs === undefined)) return undefined;
      const received = given === undefined ? 'none' : 'both';
      const message = `expected one of model and outputs but received ${received}`;
      return { path: `systems.${i}`, message };
    }),
    ...repeated(names, 'systems', (name) => name.toLowerCase()),
    ...repeated(taskNames, 'tasks', (name) => name),
  ];
});

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function repeated(
  names: readonly (string | undefined)[],
  list: string,
  keyOf: (name: string) => string,
) {
  const seen = new Set<string>();
  return names.map((name, i) => {
    if (name === undefined) return undefined;
    const isNew = !seen.has(keyOf(name));
    seen.add(keyOf(name));
    const message = `expected different names but received '${name}' twice: give each a name`;
    return isNew ? undefined : { path: `${list}.${i}.name`, message };
  });
}

/** Options of `evaluate()`. Each option is documented in docs/configuration.md. */
export type EvaluateOptions = z.input<typeof evaluateSchema>;
/** Options of `evaluate()` with every default filled in. */
export type EvaluateConfig = z.output<typeof evaluateSchema>;
