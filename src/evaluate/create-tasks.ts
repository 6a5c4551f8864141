import type { Scorer, TaskConfig, TaskType } from '../config/evaluate-tasks.js';
import { describeValue, isPresent } from '../config/parse.js';
import { throwIfAborted, untilAborted } from '../contract/run.js';
import { LlamatuneError, reasonOf } from '../errors.js';
import { jsonCheck } from '../json-answer.js';
import { macroF1, macroF1Terms } from './classification.js';
import { cosineTask } from './cosine-task.js';
import { LabelParser, YES_NO_UNCERTAIN } from './labels.js';
import { multipleChoiceTask, perplexityTask } from './likelihood-tasks.js';
import { type EvaluationRow, invalidRow } from './rows.js';
import { type Answer, type Measure, meanOf, type Task } from './task.js';
import { exactMatch, jaccard, rougeL, tokenF1 } from './text-metrics.js';

type ConfigOf<T extends TaskType> = Extract<TaskConfig, { type: T }>;

/** The tasks of an evaluation. */
export const createTasks = (configs: readonly TaskConfig[]): Task[] => configs.map(createTask);

function createTask(config: TaskConfig): Task {
  switch (config.type) {
    case 'classification':
      return classification(config);
    case 'exact-match':
      return similarity(config, 'exact match', exactMatch);
    case 'token-f1':
      return similarity(config, 'token F1', tokenF1);
    case 'rouge-l':
      return similarity(config, 'ROUGE-L', (answer, reference, signal) =>
        rougeL(answer, reference, { beta: config.beta, signal }),
      );
    case 'jaccard':
      return similarity(config, 'Jaccard', jaccard);
    case 'cosine':
      return cosineTask(config, (row) => needsReference(row, config.name ?? config.type));
    case 'perplexity':
      return perplexityTask(config);
    case 'multiple-choice':
      return multipleChoiceTask(config);
    case 'json':
      return json(config);
    case 'custom':
      return custom(config);
  }
}

/** The title of the only measure of a task: its name if the user chose one. */
const titleOf = ({ type, name }: { type: string; name?: string | undefined }, title: string) =>
  name === undefined || name === type ? title : name;

const meanMeasure = (name: string, title: string, isPercent: boolean): Measure => ({
  name,
  title,
  isPercent,
  higherIsBetter: true,
  ...meanOf(),
});

/** A task that compares the answer with the references, of which the best counts. */
function similarity(
  config: { type: TaskType; name?: string | undefined },
  title: string,
  compare: (answer: string, reference: string, signal: AbortSignal) => number | Promise<number>,
): Task {
  const name = config.name ?? config.type;
  return {
    name,
    type: config.type,
    measures: [meanMeasure(name, titleOf(config, title), config.type === 'exact-match')],
    check: (row) => needsReference(row, name),
    score: async ({ row, text }, signal) => {
      let value = 0;
      for (const reference of row.references)
        value = Math.max(value, await compare(text, reference, signal));
      return { value };
    },
  };
}

function needsReference({ references, where }: EvaluationRow, task: string): void {
  if (references.length > 0) return;
  throw invalidRow(where, `it has no reference, which the task '${task}' needs`);
}

function classification(config: ConfigOf<'classification'>): Task {
  const { labelField } = config;
  const parser = new LabelParser(config.labels ?? YES_NO_UNCERTAIN);
  const name = config.name ?? config.type;
  const expectedOf = (row: EvaluationRow): string => {
    const given = (row.row as Record<string, unknown>)[labelField];
    const isGiven = isPresent(given);
    const label = isGiven ? parser.named(given) : parser.parse(row.references[0] ?? '');
    if (label !== null) return label;
    const labels = parser.names.join(', ');
    throw invalidRow(
      row.where,
      isGiven
        ? `${labelField}: expected one of the labels ${labels} but received ${describeValue(given)}`
        : `it has no column '${labelField}', and its reference has none of the labels ${labels}`,
    );
  };
  const prefix = name === config.type ? '' : `${name}: `;
  return {
    name,
    type: config.type,
    labels: parser.names,
    measures: [
      meanMeasure(`${name}.accuracy`, `${prefix}accuracy`, true),
      {
        ...meanMeasure(`${name}.macroF1`, `${prefix}macro F1`, false),
        terms: ({ pair }) => macroF1Terms(parser.names, pair!),
        ofSums: macroF1,
      },
    ],
    check: expectedOf,
    score: ({ row, text }) => {
      const pair = { expected: expectedOf(row), predicted: parser.parse(text) };
      return { value: pair.expected === pair.predicted ? 1 : 0, pair };
    },
  };
}

function json(config: ConfigOf<'json'>): Task {
  const name = config.name ?? config.type;
  const problemOf = jsonCheck(config.schema);
  return {
    name,
    type: config.type,
    measures: [meanMeasure(name, titleOf(config, 'valid JSON'), true)],
    check: () => {},
    score: ({ text }) => ({ value: problemOf(text) === null ? 1 : 0 }),
  };
}

function custom({ type, name, score, higherIsBetter }: ConfigOf<'custom'>): Task {
  return {
    name,
    type,
    measures: [{ ...meanMeasure(name, name, false), higherIsBetter }],
    check: () => {},
    score: async (answer, signal) => ({ value: await userScore(name, score, answer, signal) }),
  };
}

async function userScore(
  task: string,
  score: Scorer,
  { row, system, text }: Answer,
  signal: AbortSignal,
): Promise<number> {
  const { index, prompt, references } = row;
  let given: unknown;
  try {
    const input = {
      ...{ index, system, references: [...references], signal },
      prompt: typeof prompt === 'string' || prompt === null ? prompt : prompt.messages,
      reference: references[0] ?? null,
      output: text,
      row: row.row,
    };
    given = await untilAborted(() => score(input), signal);
  } catch (cause) {
    throwIfAborted(signal);
    throw new LlamatuneError(
      'SCORER_FAILED',
      `the scorer '${task}' failed on the answer of '${system}' to ${row.where}: ${reasonOf(cause)}`,
      { hint: 'correct the function; the answers are kept in the output folder', cause },
    );
  }
  const value = typeof given === 'boolean' ? Number(given) : given;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new LlamatuneError(
    'SCORE_INVALID',
    `the scorer '${task}' returned ${describeValue(given)} for the answer of '${system}' to ${row.where}`,
    { hint: 'return a finite number, true or false' },
  );
}
