import { type JudgeConfig, type JudgeOptions, judgeSchema } from '../config/judge.js';
import { parseConfig } from '../config/parse.js';
import { Run } from '../contract/run.js';
import { LlamatuneError } from '../errors.js';
import { checkFiles } from '../files/check.js';
import { holdOutputs } from '../files/lock.js';
import { generate } from '../generate/generate.js';
import type { GeneratedSequence } from '../generate/generate-many.js';
import { SIGNIFICANCE } from '../statistics.js';
import {
  type PlannedCheck,
  type PlannedComparison,
  planCheck,
  planComparisons,
  type Question,
  questionsOf,
} from './comparisons.js';
import { filesOfJudge, refuseResults, writeJudgement, writeVerdicts } from './files.js';
import { JudgePrompt } from './prompt.js';
import { JUDGE_RESULTS_VERSION, type JudgeResults } from './results.js';
import { type AnswerPair, readAnswers } from './samples.js';
import { type JudgedPair, tallyOf, winnerOf } from './tally.js';
import { type JudgeChoice, parseVerdict, verdictGrammar } from './verdict.js';

/** One verdict: a line of verdicts.jsonl. */
export interface JudgeVerdict {
  /** Whether this is a pair with a known winner: systems 'better' and 'worse'. */
  check: boolean;
  index: number;
  sample: number;
  /** The systems whose answers were shown as A and as B. */
  answerA: string;
  answerB: string;
  /** null: the judge gave no valid verdict. */
  verdict: JudgeChoice | null;
  /** The system that the verdict names; null for a tie and without a valid verdict. */
  winner: string | null;
  /** What the judge wrote before the verdict. */
  explanation: string;
  /** All that the judge wrote. */
  text: string;
  finishReason: GeneratedSequence['finishReason'];
  /** Why the question could not be answered, otherwise null. */
  error: { code: string; message: string; hint: string } | null;
}

/** An event of a judge. */
export type JudgeEvent =
  /** All comparisons, before the first question. */
  | {
      type: 'plan';
      systems: string[];
      rows: number;
      comparisons: { left: string; right: string; pairs: number }[];
      check: { source: NonNullable<JudgeResults['check']>['source']; pairs: number } | null;
      questions: number;
    }
  | ({ type: 'verdict'; done: number; of: number; etaMs: number } & JudgeVerdict);

/** A running judge: an async iterable of verdicts, with the results as a promise. */
export type JudgeRun = Run<JudgeEvent, JudgeResults>;

/**
 * Lets a model judge which of two systems gives the better answers. Each pair of answers is judged in both orders, so that
 * a preference for a position cancels out, and the judge is checked on pairs with a known winner. All questions are decoded
 * together. The same seed gives the same results.
 *
 * The run's errors: CONFIG_INVALID, SAMPLES_NOT_FOUND, SAMPLES_UNREADABLE, SAMPLES_INVALID, SAMPLES_MISMATCH,
 * DATASET_INVALID_JSON, RESULTS_EXIST, OUTPUT_NOT_WRITABLE, OUTPUT_IN_USE, ABORTED, and those of generate(). A question
 * that the engine cannot answer, e.g. because it is too long, is an invalid verdict; if all are, the run has their error.
 *
 * @example
 * const { comparisons, check } = await judge({ model: 'judge.gguf', samples: ['tuned.jsonl', 'base.jsonl'] }).result;
 */
export function judge(options: JudgeOptions): JudgeRun {
  return new Run<JudgeEvent, JudgeResults>(
    async ({ emit, signal }) => {
      const config = parseConfig(judgeSchema, options, 'judge options');
      const files = filesOfJudge(config);
      checkFiles(files);
      return holdOutputs(files.outputs, async () => {
        const { output } = config;
        if (output !== undefined) refuseResults(output);
        const judging = new Judging(await planOf(config), config, emit, signal);
        try {
          const results = await judging.run();
          if (output !== undefined) writeJudgement(output, results, judging.verdicts);
          return results;
        } catch (error) {
          // An aborted run keeps its verdicts, which may have taken hours.
          if (output !== undefined && judging.verdicts.length > 0)
            writeVerdicts(output, judging.verdicts);
          throw error;
        }
      });
    },
    { signal: options?.signal },
  );
}

interface Plan {
  prompt: JudgePrompt;
  systems: string[];
  rows: number;
  comparisons: PlannedComparison[];
  check: PlannedCheck | null;
  /** The questions of the check come first. */
  questions: Question[];
}

async function planOf(config: JudgeConfig): Promise<Plan> {
  const prompt = new JudgePrompt(config);
  const answers = await readAnswers(config);
  const comparisons = planComparisons(answers, config.baseline);
  const check = await planCheck(config, answers);
  return {
    ...{ prompt, comparisons, check, systems: answers.systems },
    rows: new Set(answers.rows.map(({ index }) => index)).size,
    questions: [
      ...(check === null ? [] : questionsOf('check', check.pairs, prompt)),
      ...comparisons.flatMap(({ pairs }, i) => questionsOf(i, pairs, prompt)),
    ],
  };
}

const MAX_TOKENS = { verdict: 16, explanation: 256 };

const maxTokensOf = ({ maxTokens, explain }: JudgeConfig): number =>
  maxTokens ?? (explain ? MAX_TOKENS.explanation : MAX_TOKENS.verdict);

type Answered = JudgeVerdict | undefined;

class Judging {
  readonly #plan: Plan;
  readonly #config: JudgeConfig;
  readonly #emit: (event: JudgeEvent) => void;
  readonly #signal: AbortSignal;
  /** By the position of the question. */
  readonly #answered: Answered[] = [];

  constructor(
    plan: Plan,
    config: JudgeConfig,
    emit: (event: JudgeEvent) => void,
    signal: AbortSignal,
  ) {
    this.#plan = plan;
    this.#config = config;
    this.#emit = emit;
    this.#signal = signal;
  }

  /** The verdicts so far, in the order of the questions. */
  get verdicts(): JudgeVerdict[] {
    return this.#answered.filter((verdict) => verdict !== undefined);
  }

  async run(): Promise<JudgeResults> {
    const { systems, rows, comparisons, check, questions } = this.#plan;
    this.#emit({
      ...{ type: 'plan', systems, rows, questions: questions.length },
      comparisons: comparisons.map(({ left, right, pairs }) => ({
        left,
        right,
        pairs: pairs.length,
      })),
      check: check && { source: check.source, pairs: check.pairs.length },
    });
    const started = performance.now();
    const totals = questions.length === 0 ? noTokens : await this.#ask(started);
    const first = this.#answered.find((verdict) => verdict?.error)?.error;
    if (first && this.verdicts.every(({ error }) => error !== null)) {
      throw new LlamatuneError(first.code, first.message, { hint: first.hint });
    }
    return this.#results(totals, (performance.now() - started) / 1000);
  }

  async #ask(started: number): Promise<typeof noTokens> {
    const { questions } = this.#plan;
    const { explain, constrained, seed, temperature, model, chatTemplate } = this.#config;
    const { parallel, contextLength, threads, device, gpuLayers, tensorSplit, rpc, placement } =
      this.#config;
    const maxTokens = maxTokensOf(this.#config);
    const run = generate({
      ...{ model, chatTemplate, seed, temperature, maxTokens, threads, signal: this.#signal },
      ...{ parallel, contextLength, device, gpuLayers, tensorSplit, rpc, placement },
      prompts: questions.map(({ text }) => ({ messages: [{ role: 'user', content: text }] })),
      ...(constrained ? { grammar: verdictGrammar(explain, maxTokens) } : {}),
    });
    let done = 0;
    for await (const event of run) {
      if (event.type !== 'sequence') continue;
      const verdict = this.#verdictOf(questions[event.promptIndex]!, event);
      this.#answered[event.promptIndex] = verdict;
      done += 1;
      const etaMs = ((performance.now() - started) / done) * (questions.length - done);
      this.#emit({ type: 'verdict', done, of: questions.length, etaMs, ...verdict });
    }
    return run.result;
  }

  #verdictOf(question: Question, { text, finishReason, error }: GeneratedSequence): JudgeVerdict {
    const { comparison, pair, swapped } = question;
    const check = comparison === 'check';
    const { left, right, pairs } = check
      ? { left: 'better', right: 'worse', pairs: this.#plan.check!.pairs }
      : this.#plan.comparisons[comparison]!;
    const { index, sample } = pairs[pair]!;
    const { choice, explanation } = parseVerdict(text);
    const winner = choice === null ? null : winnerOf(choice, swapped);
    return {
      ...{ check, index, sample },
      answerA: swapped ? right : left,
      answerB: swapped ? left : right,
      verdict: choice,
      winner: winner === 'left' ? left : winner === 'right' ? right : null,
      ...{ explanation, text, finishReason },
      error: error && { code: error.code, message: error.message, hint: error.hint },
    };
  }

  /** The pairs of a comparison with their verdicts. */
  #judged(comparison: Question['comparison'], pairs: readonly AnswerPair[]): JudgedPair[] {
    const judged: JudgedPair[] = pairs.map(({ index }) => ({ index, verdicts: null }));
    this.#plan.questions.forEach((question, i) => {
      if (question.comparison !== comparison) return;
      const pair = judged[question.pair]!;
      pair.verdicts ??= { leftFirst: null, rightFirst: null };
      pair.verdicts[question.swapped ? 'rightFirst' : 'leftFirst'] =
        this.#answered[i]?.verdict ?? null;
    });
    return judged;
  }

  #results(totals: typeof noTokens, seconds: number): JudgeResults {
    const { prompt, systems, rows, comparisons, check } = this.#plan;
    const { model, explain, constrained, temperature, seed } = this.#config;
    return {
      format: 'llamatune-judge',
      version: JUDGE_RESULTS_VERSION,
      judge: {
        model: typeof model === 'string' ? model : model.path,
        ...{ prompt: prompt.template, rubric: prompt.rubric, explain, constrained, temperature },
        ...{ maxTokens: maxTokensOf(this.#config), seed },
      },
      ...{ systems, rows },
      comparisons: comparisons.map(({ left, right, pairs }, i) => ({
        ...{ left, right },
        ...tallyOf(this.#judged(i, pairs), { seed }),
      })),
      check: check && this.#checked(check),
      failures: this.#failures(),
      promptTokens: totals.promptTokens,
      generatedTokens: totals.generatedTokens,
      seconds,
    };
  }

  #checked({ source, pairs }: PlannedCheck): NonNullable<JudgeResults['check']> {
    const { seed } = this.#config;
    const tally = tallyOf(this.#judged('check', pairs), { seed, invalidAsLoss: true });
    return {
      ...tally,
      source,
      referenceShown: this.#plan.prompt.showsReference,
      betterThanChance: tally.winRate! > 0.5 && tally.p! < SIGNIFICANCE,
    };
  }

  #failures(): JudgeResults['failures'] {
    const byCode = new Map<string, JudgeResults['failures'][number]>();
    for (const { error } of this.verdicts) {
      if (error === null) continue;
      const { code, message } = error;
      const failure = byCode.get(code) ?? { code, message, questions: 0 };
      byCode.set(code, failure);
      failure.questions += 1;
    }
    return [...byCode.values()];
  }
}

const noTokens = { promptTokens: 0, generatedTokens: 0 };
