import { mean } from 'simple-statistics';
import {
  bootstrapInterval,
  FEWEST,
  type PairedTest,
  pairedTest,
  SIGNIFICANCE,
} from '../statistics.js';
import type { RaftSample } from './samples.js';

/** A mean over prompts, with its 95 % bootstrap interval over prompts; null for fewer than 3 of them. */
export interface Estimate {
  value: number;
  interval: readonly [low: number, high: number] | null;
}

/** How good the answers of one stage are. */
export interface RaftMetrics {
  prompts: number;
  /** Answers per prompt. */
  samples: number;
  /** Share of the answers whose code compiles; null if the verifier compiles nothing. */
  compileRate: Estimate | null;
  /** Probability that at least one of k answers passes, by k. */
  passAt: Record<string, Estimate>;
  meanScore: Estimate;
  /** Answers that passed. */
  passed: number;
  /** Answers that reached maxTokens. */
  truncated: number;
  /** Prompts that could not be answered, e.g. because they are too long; their answers count as failed. */
  failedPrompts: number;
}

/** Whether the final model is better than the base model on the same prompts. */
export interface RaftChange {
  passAt1: PairedTest;
  /** null if the verifier compiles nothing. */
  compileRate: PairedTest | null;
  /** 'better' and 'worse': pass@1 differs with p < 0.05. */
  verdict: 'better' | 'worse' | 'no difference';
}

/**
 * The unbiased estimate of pass@k: 1 - C(n - c, k) / C(n, k), computed as a product so that nothing overflows (Chen et al.
 * 2021, "Evaluating Large Language Models Trained on Code", arXiv 2107.03374).
 *
 * @param n answers to a prompt
 * @param c those that passed
 * @param k at most n
 */
export function passAtK(n: number, c: number, k: number): number {
  if (n - c < k) return 1;
  let noneOfThem = 1;
  for (let i = n - c + 1; i <= n; i++) noneOfThem *= 1 - k / i;
  return 1 - noneOfThem;
}

/** The answers of one prompt, counted. */
interface Counts {
  n: number;
  passed: number;
  compiled: number;
  score: number;
}

function countsOf(samples: readonly RaftSample[]): Counts[] {
  const counts = new Map<number, Counts>();
  for (const { index, verdict } of samples) {
    const found = counts.get(index) ?? { n: 0, passed: 0, compiled: 0, score: 0 };
    found.n += 1;
    found.passed += verdict.passed ? 1 : 0;
    found.compiled += verdict.compiled === true ? 1 : 0;
    found.score += verdict.score;
    counts.set(index, found);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([, each]) => each);
}

const compilesCode = (samples: readonly RaftSample[]): boolean =>
  samples.some(({ verdict }) => verdict.compiled !== null);

/** The values of k for pass@k: 1, and the given ones or the number of answers. */
const valuesOfK = (n: number, given: readonly number[] | undefined): number[] =>
  [...new Set([1, ...(given ?? [n])])].sort((a, b) => a - b);

/** @param passAt values of k for pass@k, in addition to 1 */
export function metricsOf(
  samples: readonly RaftSample[],
  passAt: readonly number[] | undefined,
): RaftMetrics {
  const counts = countsOf(samples);
  const n = counts[0]?.n ?? 0;
  const failed = samples.filter(({ finishReason }) => finishReason === 'error');
  return {
    prompts: counts.length,
    samples: n,
    compileRate: compilesCode(samples) ? estimate(counts.map(compileRate)) : null,
    passAt: Object.fromEntries(
      valuesOfK(n, passAt).map((k) => [
        k,
        estimate(counts.map(({ passed }) => passAtK(n, passed, k))),
      ]),
    ),
    meanScore: estimate(counts.map(({ score }) => score / n)),
    passed: counts.reduce((total, { passed }) => total + passed, 0),
    truncated: samples.filter(({ finishReason }) => finishReason === 'length').length,
    failedPrompts: new Set(failed.map(({ index }) => index)).size,
  };
}

const compileRate = ({ n, compiled }: Counts): number => compiled / n;
const passRate = ({ n, passed }: Counts): number => passed / n;

function estimate(values: readonly number[]): Estimate {
  const interval = values.length < FEWEST ? null : bootstrapInterval(values, mean);
  return { value: mean([...values]), interval };
}

/** Compares the answers of the base model and of the final model to the same prompts. */
export function changeOf(base: readonly RaftSample[], final: readonly RaftSample[]): RaftChange {
  const [before, after] = [countsOf(base), countsOf(final)];
  const test = (rate: (counts: Counts) => number) => pairedTest(after.map(rate), before.map(rate));
  const passAt1 = test(passRate);
  const compiles = compilesCode(base) || compilesCode(final);
  const isBeyondChance = passAt1.p < SIGNIFICANCE;
  const direction = passAt1.difference > 0 ? 'better' : 'worse';
  return {
    passAt1,
    compileRate: compiles ? test(compileRate) : null,
    verdict: isBeyondChance ? direction : 'no difference',
  };
}
