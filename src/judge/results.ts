import { z } from 'zod';

const interval = z.tuple([z.number(), z.number()]).nullable();
const count = z.int().min(0);
const share = z.number().min(0).max(1).nullable();

const tallySchema = z.object({
  /** Pairs of answers: rows times samples. */
  pairs: count,
  /** Pairs in which both orders name the left answer, and the right one. */
  wins: count,
  losses: count,
  /** The other pairs with two valid verdicts: ties, and orders that disagree. Identical answers are ties. */
  ties: count,
  /** Ties that are identical answers, which the judge was not asked about. */
  identical: count,
  /** Pairs without a valid verdict in both orders. */
  undecided: count,
  /** (wins + ties / 2) / (wins + ties + losses); null without a decided pair. */
  winRate: share,
  /** 95 % bootstrap interval of the win rate, over rows; null for fewer than 3. */
  interval,
  /** Paired randomization test of both systems, over rows; null without a decided pair. */
  p: share,
  /** Share of the pairs with two valid verdicts whose two orders agree; null without such a pair. */
  agreement: share,
  /** Share of the valid verdicts for A or B that name A, the answer shown first; 0.5 without position bias. */
  firstShare: share,
  /** Verdicts asked for, and those without a valid answer. */
  verdicts: count,
  invalid: count,
});

/** Version of the results. */
export const JUDGE_RESULTS_VERSION = 1;

/** Schema of results.json of `judge()`. */
export const judgeResultsSchema = z.object({
  format: z.literal('llamatune-judge'),
  version: z.literal(JUDGE_RESULTS_VERSION),
  judge: z.object({
    model: z.string(),
    modelBytes: count,
    prompt: z.string(),
    rubric: z.string(),
    explain: z.boolean(),
    constrained: z.boolean(),
    temperature: z.number(),
    maxTokens: z.int(),
    seed: z.int(),
    /** null: the model's own. */
    chatTemplate: z.string().nullable(),
    /** null: chosen by generate(). */
    contextLength: z.int().nullable(),
    /** SHA-256 of all questions. */
    questions: z.string(),
  }),
  systems: z.array(z.string()),
  rows: count,
  comparisons: z.array(
    tallySchema.extend({
      left: z.string(),
      right: z.string(),
      /** Answers that a system did not give. Their pairs are not judged and not part of `pairs`. */
      missing: z.object({ left: count, right: count }),
    }),
  ),
  /** The judge on pairs with a known winner: `winRate` is the accuracy, with invalid verdicts as wrong. null: no check. */
  check: tallySchema
    .extend({
      source: z.enum(['references', 'given']),
      /** Whether the judge saw the reference, which makes pairs of references easy. */
      referenceShown: z.boolean(),
      betterThanChance: z.boolean(),
    })
    .nullable(),
  /** Questions that the engine could not answer, by error. Their verdicts are invalid. */
  failures: z.array(z.object({ code: z.string(), message: z.string(), questions: count })),
  promptTokens: count,
  generatedTokens: count,
  seconds: z.number(),
});

/** What `judge()` found, as in results.json. */
export type JudgeResults = z.output<typeof judgeResultsSchema>;
/** Two systems that were compared. */
export type JudgeComparison = JudgeResults['comparisons'][number];
/** Verdicts of a comparison, or of the check of a judge. */
export type JudgeTally = Omit<JudgeComparison, 'left' | 'right' | 'missing'>;
/** The check of a judge on pairs with a known winner. */
export type JudgeCheck = NonNullable<JudgeResults['check']>;
/** The judge and its questions: a run with another value is another run, except for the path of the model. */
export type JudgeSettings = JudgeResults['judge'];
