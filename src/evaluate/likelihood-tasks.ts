import type { TaskConfig } from '../config/evaluate-tasks.js';
import { describeValue } from '../config/parse.js';
import type { SequenceScore } from '../contract/scoring.js';
import { continuation, type EvaluationRow, invalidRow } from './rows.js';
import { type Measure, meanOf, ratioOf, type Task, type TaskScore } from './task.js';

type ConfigOf<T extends TaskConfig['type']> = Extract<TaskConfig, { type: T }>;

/**
 * Perplexity over all rows: e to the power of the mean of -log p over the targets of all rows, so that a long row counts more
 * than a short one; and the fraction of targets that are the most likely token.
 */
export function perplexityTask(config: ConfigOf<'perplexity'>): Task {
  const name = config.name ?? config.type;
  const prefix = name === config.type ? '' : `${name}: `;
  const countOf = ({ targets }: TaskScore) => targets!.count;
  const meanLog = ratioOf(({ targets }) => targets!.logProbability, countOf);
  return {
    name,
    type: config.type,
    measures: [
      {
        name,
        title: prefix === '' ? 'perplexity' : name,
        isPercent: false,
        higherIsBetter: false,
        ...meanLog,
        ofSums: (sums) => Math.exp(-meanLog.ofSums(sums)),
      },
      {
        name: `${name}.accuracy`,
        title: `${prefix}token accuracy`,
        isPercent: true,
        higherIsBetter: true,
        ...ratioOf(({ targets }) => targets!.correct, countOf),
      },
    ],
    check: ({ target, where }) => {
      if (target === null)
        throw invalidRow(where, `it has no reference, which the task '${name}' needs`);
    },
    likelihood: {
      sequencesOf: ({ target }) => [target!],
      score: (_, [sequence]) => {
        const { logProbability, targets: count, correct } = sequence!;
        return {
          value: Math.exp(-logProbability / count),
          targets: { logProbability, count, correct },
        };
      },
    },
  };
}

/**
 * Multiple choice as EleutherAI's lm-evaluation-harness scores it: the choice with the highest log-probability, in total or
 * divided by its number of tokens or of bytes. The end of the answer is not part of a choice.
 */
export function multipleChoiceTask(config: ConfigOf<'multiple-choice'>): Task {
  const name = config.name ?? config.type;
  const prefix = name === config.type ? '' : `${name}: `;
  const measure = (
    suffix: string,
    title: string,
    numberOf?: (score: TaskScore) => number,
  ): Measure => ({
    name: `${name}.${suffix}`,
    title: `${prefix}${title}`,
    isPercent: true,
    higherIsBetter: true,
    ...meanOf(numberOf),
  });
  return {
    name,
    type: config.type,
    measures: [
      measure('accuracy', 'choice accuracy'),
      measure('perToken', 'choice accuracy per token', (score) => score.normalized!.perToken),
      measure('perByte', 'choice accuracy per byte', (score) => score.normalized!.perByte),
    ],
    check: (row) => {
      if (row.prompt === null)
        throw invalidRow(row.where, `it has no prompt, which the task '${name}' needs`);
      choicesOf(row, config);
    },
    likelihood: {
      sequencesOf: (row) =>
        choicesOf(row, config).texts.map((text) => continuation(row.prompt!, text)),
      score: (row, sequences, ends) => {
        const { texts, right } = choicesOf(row, config);
        const scored = sequences.map((sequence) => withoutEnd(sequence, ends));
        const isRight = (values: readonly number[]) => (highest(values) === right ? 1 : 0);
        const logs = scored.map(({ logProbability }) => logProbability);
        return {
          value: isRight(logs),
          normalized: {
            perToken: isRight(scored.map(({ logProbability, count }) => logProbability / count)),
            perByte: isRight(logs.map((log, i) => log / Buffer.byteLength(texts[i]!))),
          },
        };
      },
    },
  };
}

/** The position of the only highest value; -1 if several are the highest. */
function highest(values: readonly number[]): number {
  const most = Math.max(...values);
  const at = values.indexOf(most);
  return values.lastIndexOf(most) === at ? at : -1;
}

/** A sequence without the targets from the last one that ends an answer. */
function withoutEnd(
  { targetTokens, targetLogProbabilities }: SequenceScore,
  ends: ReadonlySet<number>,
): { logProbability: number; count: number } {
  const tokens = targetTokens!;
  const end = tokens.findLastIndex((token) => ends.has(token));
  const count = end <= 0 ? tokens.length : end;
  const logs = targetLogProbabilities!.subarray(0, count);
  return { logProbability: logs.reduce((total, log) => total + log, 0), count };
}

interface Choices {
  texts: readonly string[];
  /** Position of the right one. */
  right: number;
}

function choicesOf({ row, where }: EvaluationRow, config: ConfigOf<'multiple-choice'>): Choices {
  const { choicesField, answerField } = config;
  const columns = row as Record<string, unknown>;
  const given = columns[choicesField];
  const { text, label } = (Array.isArray(given) ? { text: given } : (given ?? {})) as {
    [key: string]: unknown;
  };
  const isTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((each) => typeof each === 'string' && each.trim() !== '');
  if (!isTexts(text) || text.length < 2)
    throw invalidRow(
      where,
      `${choicesField}: expected a list of at least 2 texts but received ${describeValue(given)}`,
    );
  const right = positionOf(columns[answerField], text, isTexts(label) ? label : []);
  if (right === null)
    throw invalidRow(
      where,
      `${answerField}: expected the position, text or label of one of ${text.length} choices but received ${describeValue(columns[answerField])}`,
    );
  return { texts: text, right };
}

/** The position that an answer names; null if it names none. */
function positionOf(
  answer: unknown,
  texts: readonly string[],
  labels: readonly string[],
): number | null {
  if (typeof answer === 'number')
    return Number.isInteger(answer) && answer >= 0 && answer < texts.length ? answer : null;
  if (typeof answer !== 'string') return null;
  const plain = answer.trim();
  const found = [labels, texts].map((list) => list.findIndex((each) => each.trim() === plain));
  const position = found.find((at) => at >= 0);
  if (position !== undefined) return position;
  // 'B', or '1' as tables write it
  const letter = /^[A-Za-z]$/.test(plain) ? plain.toUpperCase().charCodeAt(0) - 65 : Number.NaN;
  const index = /^\d+$/.test(plain) ? Number(plain) : letter;
  return labels.length === 0 && index < texts.length ? index : null;
}
