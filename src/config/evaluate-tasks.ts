import { z } from 'zod';
import type { ChatMessage } from './chat-message.js';
import { callback, model } from './fields.js';
import { ambiguousWord } from './label-words.js';

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

const NAME = /^[\w-]{1,60}$/;
const NAME_TEXT = 'letters, digits, hyphens and underscores';

const taskFields = {
  name: z
    .string()
    .regex(NAME, NAME_TEXT)
    .optional()
    .describe('Name in the results. Default: the type.'),
};

const word = z.string().regex(/\S/, 'a text that is not empty');

const labelsSchema = z
  .union([
    z.array(word).min(2),
    z
      .record(word, z.array(word))
      .refine((labels) => Object.keys(labels).length >= 2, 'expected at least 2 labels'),
  ])
  .transform((given, context): Record<string, readonly string[]> => {
    const labels = Array.isArray(given)
      ? Object.fromEntries(given.map((label) => [label, []]))
      : given;
    const shared = ambiguousWord(labels);
    if (shared !== undefined) {
      const message = `expected each word to mean one label but received '${shared}' for two`;
      context.addIssue({ code: 'custom', message });
    }
    return labels;
  });

const type = <T extends string>(name: T, description: string) =>
  z.literal(name).describe(description);

export const taskSchemas = [
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
    type: type('cosine', 'Cosine similarity of the embeddings of answer and reference.'),
    ...taskFields,
    model: model()
      .optional()
      .meta({
        description:
          'Embedding model: path of a GGUF file, or a loaded model. Default: the model of the first system that has one, ' +
          'without adapters.',
      }),
  }),
  z.strictObject({
    type: type(
      'perplexity',
      'Perplexity and token accuracy of the reference, or of the whole row if it has no prompt.',
    ),
    ...taskFields,
  }),
  z.strictObject({
    type: type(
      'multiple-choice',
      'Whether the right one of several choices is the most likely answer.',
    ),
    ...taskFields,
    choicesField: z
      .string()
      .min(1)
      .default('choices')
      .describe('Column with the choices: a list of texts, or { text, label } with two lists.'),
    answerField: z
      .string()
      .min(1)
      .default('answer')
      .describe('Column with the right choice: its position from 0, its text, or its label.'),
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

/** Tasks that can be given by their name alone. */
const PLAIN_TASKS = taskSchemas
  .map((schema) => schema.shape.type.value)
  .filter((type) => type !== 'custom');

/** Schema of the tasks of an evaluation. */
export const tasks = z
  .array(z.union([z.enum(PLAIN_TASKS).transform((type) => task.parse({ type })), task]))
  .min(1)
  .meta({
    typeText: `array of ${PLAIN_TASKS.map((type) => `'${type}'`).join(', ')}, or { type, … }`,
    description:
      'What to measure, e.g. classification, or { type: classification, labels: [positive, negative] }; ' +
      'docs/evaluating.md lists the options of each task.',
  });
