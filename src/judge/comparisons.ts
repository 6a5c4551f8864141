import type { JudgeConfig } from '../config/judge.js';
import { configError } from '../config/parse.js';
import { LlamatuneError } from '../errors.js';
import { seededRandom } from '../random.js';
import type { JudgePrompt } from './prompt.js';
import { type AnsweredRow, type AnswerPair, type Answers, readCheckPairs } from './samples.js';

/** Two systems, or a better and a worse answer, with their answers. */
export interface PlannedComparison {
  left: string;
  right: string;
  /** The pairs of which both systems have answers. */
  pairs: AnswerPair[];
  /** Rows and samples to which a system gave no answer. */
  missing: { left: number; right: number };
}

/** One question to the judge: a pair in one of both orders. */
export interface Question {
  /** 'check', or the position of the comparison. */
  comparison: 'check' | number;
  /** Position of the pair in its comparison. */
  pair: number;
  /** Whether the right answer is shown first, as answer A. */
  swapped: boolean;
  text: string;
}

/** Where the pairs of the check come from. */
export type CheckSource = 'references' | 'given';

export interface PlannedCheck {
  source: CheckSource;
  pairs: AnswerPair[];
}

/**
 * The pairs of systems: each with the baseline, or each with each.
 *
 * @throws LlamatuneError CONFIG_INVALID if the baseline is not a system, SAMPLES_INVALID if there is nothing to compare
 */
export function planComparisons(
  { systems, rows }: Answers,
  baseline: string | undefined,
): PlannedComparison[] {
  if (baseline !== undefined && !systems.includes(baseline)) {
    const message = `expected one of the systems (${systems.join(', ')}) but received '${baseline}'`;
    throw configError([{ path: 'baseline', message }], 'judge options');
  }
  const names =
    baseline === undefined
      ? systems.flatMap((left, i) => systems.slice(i + 1).map((right) => [left, right] as const))
      : systems.filter((name) => name !== baseline).map((left) => [left, baseline] as const);
  const comparisons = names.map(([left, right]) => comparisonOf(rows, left, right));
  if (comparisons.some(({ pairs }) => pairs.length > 0)) return comparisons;
  throw new LlamatuneError('SAMPLES_INVALID', 'no row has answers of two systems', {
    hint: 'give the answers of systems that answered the same rows',
  });
}

function comparisonOf(
  rows: readonly AnsweredRow[],
  left: string,
  right: string,
): PlannedComparison {
  const missing = (system: string) =>
    rows.filter(({ outputs }) => outputs.get(system) === null).length;
  return {
    left,
    right,
    pairs: rows.flatMap(({ outputs, ...row }) => {
      const [ofLeft, ofRight] = [outputs.get(left), outputs.get(right)];
      if (typeof ofLeft !== 'string' || typeof ofRight !== 'string') return [];
      return [{ ...row, left: ofLeft, right: ofRight }];
    }),
    missing: { left: missing(left), right: missing(right) },
  };
}

/** The pairs with a known winner; null if there is no check. */
export async function planCheck(
  { check, checkPairs, seed }: Pick<JudgeConfig, 'check' | 'checkPairs' | 'seed'>,
  { rows }: Answers,
): Promise<PlannedCheck | null> {
  if (check === 'none') return null;
  const random = seededRandom(seed);
  const [source, all] =
    check === 'auto'
      ? (['references', referencePairs(rows, random)] as const)
      : (['given', await readCheckPairs(check)] as const);
  if (all.length === 0) return null;
  const pairs = shuffled(all, random).slice(0, checkPairs);
  return { source, pairs: pairs.sort((a, b) => a.index - b.index) };
}

/** The reference of each row against that of a random other row. */
function referencePairs(rows: readonly AnsweredRow[], random: () => number): AnswerPair[] {
  const first = new Map(rows.map((row) => [row.index, row]));
  const withReference = [...first.values()].filter(({ reference }) => reference !== null);
  const order = shuffled(withReference, random);
  return order.flatMap(({ outputs: _, ...row }, i) => {
    const after = [...order.slice(i + 1), ...order.slice(0, i)];
    const other = after.find(({ reference }) => !isSameText(reference!, row.reference!));
    return other === undefined
      ? []
      : [{ ...row, sample: 0, left: row.reference!, right: other.reference! }];
  });
}

const isSameText = (a: string, b: string): boolean =>
  a.trim().toLowerCase() === b.trim().toLowerCase();

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** Both orders of each pair whose answers differ; the same answer twice is a tie without asking. */
export function questionsOf(
  comparison: Question['comparison'],
  pairs: readonly AnswerPair[],
  prompt: JudgePrompt,
): Question[] {
  return pairs.flatMap(({ left, right, index, ...row }, pair) => {
    if (left === right) return [];
    if (prompt.showsReference && row.reference === null) {
      throw new LlamatuneError(
        'SAMPLES_INVALID',
        `row ${index} has no reference, but the prompt of the judge has {reference}`,
        { hint: 'add the references, or leave {reference} out of the prompt' },
      );
    }
    return [false, true].map((swapped) => ({
      ...{ comparison, pair, swapped },
      text: prompt.fill({
        ...row,
        answerA: swapped ? right : left,
        answerB: swapped ? left : right,
      }),
    }));
  });
}
