import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import type { ChatMessage } from './chat-message.js';
import { withCrossFieldRules } from './cross-field.js';
import type { DatasetRow } from './dataset-row.js';
import { taskSchemas, tasks } from './evaluate-tasks.js';
import {
  type DatasetSource,
  dataset,
  model,
  namesFile,
  path,
  placementProblems,
  placementShape,
  signal,
} from './fields.js';
import { generateSchema, maxTokensProblem, type Prompt } from './generate.js';

/** A dataset of finetune(), or rows that have a prompt and other columns, but no answer. */
export type EvaluationSource =
  | DatasetSource
  | Iterable<EvaluationInput>
  | AsyncIterable<EvaluationInput>;

/** A row of a dataset, or a prompt; tasks may read other columns. */
export type EvaluationInput = (DatasetRow | Exclude<Prompt, string | readonly ChatMessage[]>) & {
  [column: string]: unknown;
};

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
    .optional()
    .describe("Column of outputs that holds the answer. Default: 'output'."),
});

type SystemConfig = z.output<typeof system>;

/** The schema of each task, and of a system, for the reference of all options. */
export const evaluationSchemas: Readonly<Record<string, z.ZodType>> = {
  system,
  ...Object.fromEntries(taskSchemas.map((schema) => [`task ${schema.shape.type.value}`, schema])),
};

/** Options of generate() that decide the answers. */
const ANSWER_OPTIONS = [
  ...(['maxTokens', 'temperature', 'topK', 'topP', 'minP', 'repeatPenalty'] as const),
  ...(['repeatLastN', 'seed', 'stop', 'grammar', 'contextLength'] as const),
] as const;

function pick<T, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}

const { shape: generation } = generateSchema;
const generationFields = {
  ...pick(generation, ANSWER_OPTIONS),
  temperature: generation.temperature
    .unwrap()
    .default(0)
    .describe(generation.temperature.description ?? ''),
  ...pick(generation, ['parallel', 'flashAttention', 'threads']),
  ...placementShape(),
};

const base = z.strictObject({
  dataset: dataset<EvaluationSource>(
    'Rows with prompts and references, in any format of finetune(), or with a prompt only.',
  ),
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
    ...systems.flatMap(systemProblems),
    hasWeights(read.value('dataset'))
      ? {
          path: 'dataset',
          message: 'expected files without a weight, because each row is used once',
        }
      : undefined,
    ...listOf(read.value('tasks')).map((each, i) => {
      const { type: given, model: embedder } = (
        typeof each === 'string' ? { type: each } : each
      ) as {
        [key: string]: unknown;
      };
      const needsModel =
        given === 'perplexity' ||
        given === 'multiple-choice' ||
        (given === 'cosine' && embedder === undefined);
      const hasModel = systems.some((every) => (every as { model?: unknown })?.model !== undefined);
      if (!needsModel || hasModel) return undefined;
      const message = `expected a system with a model for the task '${given}' but received only outputs`;
      return { path: `tasks.${i}`, message };
    }),
    maxTokensProblem(read),
    ...repeated(names, 'systems', (name) => name.toLowerCase()),
    ...repeated(taskNames, 'tasks', (name) => name),
  ];
});

/** Problems of a system beyond its fields: a file of outputs takes no options of a model, and a model none of outputs. */
function systemProblems(given: unknown, i: number): ConfigProblem[] {
  const fields = (given ?? {}) as { [key: string]: unknown };
  const path = `systems.${i}`;
  if ((fields.model === undefined) === (fields.outputs === undefined)) {
    const received = fields.model === undefined ? 'none' : 'both';
    return [{ path, message: `expected one of model and outputs but received ${received}` }];
  }
  const [source, other, unused] =
    fields.model === undefined
      ? ['outputs', 'model', ['adapters', 'chatTemplate']]
      : ['model', 'outputs', ['outputField']];
  // No adapters is the default, which a system has after it was read.
  const isGiven = (value: unknown) => value !== undefined && !isEmptyList(value);
  return (unused as string[])
    .filter((name) => isGiven(fields[name]))
    .map((name) => ({
      path: `${path}.${name}`,
      message: `expected this option only with ${other} but received it with ${source}`,
    }));
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Whether a dataset names files with a weight, which only training uses. */
const hasWeights = (dataset: unknown): boolean =>
  (Array.isArray(dataset) ? dataset : [dataset]).some(
    (each) => namesFile(each) && typeof each === 'object' && 'weight' in each,
  );

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

/** The options of generate() that decide the answers of an evaluation, without those that are not set. */
export const answerOptions = (config: EvaluateConfig) =>
  Object.fromEntries(
    Object.entries(pick(config, ANSWER_OPTIONS)).filter(([, value]) => value !== undefined),
  ) as Partial<Pick<EvaluateConfig, (typeof ANSWER_OPTIONS)[number]>>;
