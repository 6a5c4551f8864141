import { createHash } from 'node:crypto';
import { type JudgeConfig, type JudgeOptions, judgeSchema } from '../config/judge.js';
import { parseConfig } from '../config/parse.js';
import { remainingTime } from '../contract/remaining-time.js';
import { Run } from '../contract/run.js';
import { withChatTemplate } from '../data/read-chat-template.js';
import { LlamatuneError } from '../errors.js';
import { useFiles } from '../files/lock.js';
import { abortedRun } from '../files/results-files.js';
import { bytesOfModel } from '../files/run-files.js';
import { type GeneratedSequence, GenerateManyRun } from '../generate/generate-many.js';
import { SIGNIFICANCE } from '../statistics.js';
import {
  type PlannedCheck,
  type PlannedComparison,
  planCheck,
  planComparisons,
  type Question,
  questionsOf,
} from './comparisons.js';
import { filesOfJudge } from './files.js';
import { OutputFolder, refuseResults } from './output-folder.js';
import { JudgePrompt } from './prompt.js';
import {
  JUDGE_RESULTS_VERSION,
  type JudgeComparison,
  type JudgeResults,
  type JudgeSettings,
} from './results.js';
import { type AnswerPair, readAnswers } from './samples.js';
import { type JudgedPair, tallyOf } from './tally.js';
import { type JudgeVerdict, parseVerdict, verdictGrammar } from './verdict.js';

/** An event of a judge. */
export type JudgeEvent =
  /** All comparisons, before the first question. */
  | {
      type: 'plan';
      systems: string[];
      rows: number;
      comparisons: Pick<JudgeComparison, 'left' | 'right' | 'pairs' | 'missing'>[];
      check: { source: NonNullable<JudgeResults['check']>['source']; pairs: number } | null;
      questions: number;
      /** Questions that an earlier call has answered. */
      finished: number;
    }
  | ({ type: 'verdict'; done: number; of: number; etaMs: number } & JudgeVerdict);

/** A running judge: an async iterable of verdicts, with the results as a promise. */
export type JudgeRun = Run<JudgeEvent, JudgeResults>;

/**
 * Lets a model judge which of two systems gives the better answers. Each pair of answers is judged in both orders, so that
 * a preference for a position cancels out, and the judge is checked on pairs with a known winner. All questions are decoded
 * together. The same seed gives the same results. With `output`, every verdict is kept as soon as it comes, and `resume`
 * continues a run that was interrupted.
 *
 * The run's errors: CONFIG_INVALID, SAMPLES_NOT_FOUND, SAMPLES_UNREADABLE, SAMPLES_INVALID, SAMPLES_MISMATCH,
 * DATASET_INVALID_JSON, RESULTS_EXIST, RESULTS_MISMATCH, RESULTS_INVALID, OUTPUT_NOT_WRITABLE, OUTPUT_IN_USE, ABORTED, and
 * those of generate(). A question that the engine cannot answer, e.g. because it is too long, is an invalid verdict; if all are, the run has their error.
 *
 * @example
 * const { comparisons, check } = await judge({ model: 'judge.gguf', samples: ['tuned.jsonl', 'base.jsonl'] }).result;
 */
export function judge(options: JudgeOptions): JudgeRun {
  return new Run<JudgeEvent, JudgeResults>(
    async ({ emit, signal }) => {
      const config = withChatTemplate(parseConfig(judgeSchema, options, 'judge options'));
      const files = filesOfJudge(config);
      return useFiles(files, async () => {
        const { output, resume } = config;
        if (output !== undefined) refuseResults(output, resume);
        const plan = await planOf(config);
        if (output === undefined) return new Judging(plan, config, null, emit, signal).run();
        using folder = new OutputFolder(output, settingsOf(plan, config));
        return await new Judging(plan, config, folder, emit, signal)
          .run()
          .catch((error: unknown) => {
            const keeps = signal.aborted && folder.verdicts.length > 0;
            throw keeps ? abortedRun(output, error) : error;
          });
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

function settingsOf({ prompt, questions }: Plan, config: JudgeConfig): JudgeSettings {
  const { model, explain, constrained, temperature, seed, chatTemplate, contextLength } = config;
  const path = typeof model === 'string' ? model : model.path;
  return {
    ...{ model: path, modelBytes: bytesOfModel(path) },
    ...{ prompt: prompt.template, rubric: prompt.rubric, explain, constrained, temperature },
    ...{ maxTokens: maxTokensOf(config), seed, chatTemplate: chatTemplate ?? null },
    contextLength: contextLength ?? null,
    questions: createHash('sha256').update(JSON.stringify(questions)).digest('hex'),
  };
}

/** Identifies a question by the fields of its verdict. */
const keyOf = ({ check, index, sample, answerA, answerB }: Asked): string =>
  JSON.stringify([check, index, sample, answerA, answerB]);

type Asked = Pick<JudgeVerdict, 'check' | 'index' | 'sample' | 'answerA' | 'answerB'>;

class Judging {
  readonly #plan: Plan;
  readonly #config: JudgeConfig;
  readonly #folder: OutputFolder | null;
  readonly #emit: (event: JudgeEvent) => void;
  readonly #signal: AbortSignal;
  /** By the position of the question. */
  readonly #answered: (JudgeVerdict | undefined)[];

  constructor(
    plan: Plan,
    config: JudgeConfig,
    folder: OutputFolder | null,
    emit: (event: JudgeEvent) => void,
    signal: AbortSignal,
  ) {
    this.#plan = plan;
    this.#config = config;
    this.#folder = folder;
    this.#emit = emit;
    this.#signal = signal;
    const kept = new Map((folder?.verdicts ?? []).map((verdict) => [keyOf(verdict), verdict]));
    this.#answered = plan.questions.map((question) => kept.get(keyOf(this.#asked(question))));
  }

  /** The verdicts so far, in the order of the questions. */
  get #verdicts(): JudgeVerdict[] {
    return this.#answered.filter((verdict) => verdict !== undefined);
  }

  async run(): Promise<JudgeResults> {
    const { systems, rows, comparisons, check, questions } = this.#plan;
    const complete = this.#folder?.results ?? null;
    this.#emit({
      ...{ type: 'plan', systems, rows, questions: questions.length },
      finished: complete === null ? this.#verdicts.length : questions.length,
      comparisons: comparisons.map((each) => ({ ...each, pairs: each.pairs.length })),
      check: check && { source: check.source, pairs: check.pairs.length },
    });
    if (complete !== null) return complete;
    const started = performance.now();
    if (this.#answered.includes(undefined)) await this.#ask();
    const first = this.#verdicts.find(({ error }) => error)?.error;
    if (first && this.#verdicts.every(({ error }) => error !== null)) {
      throw new LlamatuneError(first.code, first.message, { hint: first.hint });
    }
    const results = this.#results((performance.now() - started) / 1000);
    this.#folder?.finish(results, this.#verdicts);
    return results;
  }

  /** Asks the questions that have no verdict yet. The seed of an answer depends on its question only. */
  async #ask(): Promise<void> {
    const { questions } = this.#plan;
    const { explain, constrained, seed, temperature, model, chatTemplate } = this.#config;
    const { parallel, contextLength, threads, device, gpuLayers, tensorSplit, rpc, placement } =
      this.#config;
    const maxTokens = maxTokensOf(this.#config);
    await using run = new GenerateManyRun(
      {
        ...{ model, chatTemplate, seed, temperature, maxTokens, threads, signal: this.#signal },
        ...{ parallel, contextLength, device, gpuLayers, tensorSplit, rpc, placement },
        prompts: questions.map(({ text }) => ({ messages: [{ role: 'user', content: text }] })),
        ...(constrained ? { grammar: verdictGrammar(explain, maxTokens) } : {}),
      },
      (question) => this.#answered[question] === undefined,
    );
    const eta = remainingTime(questions.length);
    let done = this.#verdicts.length;
    for await (const event of run) {
      if (event.type !== 'sequence') continue;
      const verdict = this.#verdictOf(questions[event.promptIndex]!, event);
      this.#answered[event.promptIndex] = verdict;
      // A question that failed is asked again when the run continues.
      if (verdict.error === null) this.#folder?.add(verdict);
      done += 1;
      this.#emit({ type: 'verdict', done, of: questions.length, etaMs: eta(done), ...verdict });
    }
    await run.result;
  }

  #asked({ comparison, pair, swapped }: Question): Asked {
    const check = comparison === 'check';
    const { left, right, pairs } = check
      ? { left: 'better', right: 'worse', pairs: this.#plan.check!.pairs }
      : this.#plan.comparisons[comparison]!;
    const { index, sample } = pairs[pair]!;
    const [answerA, answerB] = swapped ? [right, left] : [left, right];
    return { check, index, sample, answerA, answerB };
  }

  #verdictOf(question: Question, sequence: GeneratedSequence): JudgeVerdict {
    const { text, finishReason, promptTokens, generatedTokens, error } = sequence;
    const asked = this.#asked(question);
    const { choice, explanation } = parseVerdict(text);
    const { answerA, answerB } = asked;
    return {
      ...asked,
      verdict: choice,
      winner: choice === 'A' ? answerA : choice === 'B' ? answerB : null,
      ...{ explanation, text, finishReason, promptTokens, generatedTokens },
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

  #results(seconds: number): JudgeResults {
    const { systems, rows, comparisons, check } = this.#plan;
    const { seed } = this.#config;
    const sum = (tokens: 'promptTokens' | 'generatedTokens') =>
      this.#verdicts.reduce((total, verdict) => total + verdict[tokens], 0);
    return {
      format: 'llamatune-judge',
      version: JUDGE_RESULTS_VERSION,
      judge: settingsOf(this.#plan, this.#config),
      ...{ systems, rows },
      comparisons: comparisons.map(({ pairs, ...comparison }, i) => ({
        ...comparison,
        ...tallyOf(this.#judged(i, pairs), { seed }),
      })),
      check: check && this.#checked(check),
      failures: this.#failures(),
      promptTokens: sum('promptTokens'),
      generatedTokens: sum('generatedTokens'),
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
    for (const { error } of this.#verdicts) {
      if (error === null) continue;
      const { code, message } = error;
      const failure = byCode.get(code) ?? { code, message, questions: 0 };
      byCode.set(code, failure);
      failure.questions += 1;
    }
    return [...byCode.values()];
  }
}
