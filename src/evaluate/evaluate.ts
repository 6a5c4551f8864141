import {
  answerOptions,
  type EvaluateConfig,
  type EvaluateOptions,
  evaluateSchema,
  nameOfSystem,
} from '../config/evaluate.js';
import { parseConfig } from '../config/parse.js';
import { Run, throwIfAborted } from '../contract/run.js';
import { datasetFiles } from '../files/dataset-files.js';
import { useFiles } from '../files/lock.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import type { ScoresByRow } from './compare.js';
import { createTasks } from './create-tasks.js';
import type { EvaluateEvent } from './events.js';
import { filesOfEvaluation } from './files.js';
import { generateAnswers, notAsked, type SystemAnswers } from './generate-answers.js';
import { OutputFolder } from './output-folder.js';
import { readOutputs } from './outputs.js';
import { EVALUATION_VERSION, type EvaluationResults, type SystemResults } from './results.js';
import { type EvaluationRow, type EvaluationRows, invalidRow, readEvaluationRows } from './rows.js';
import { type EvaluationSample, newSample } from './samples.js';
import { prepareTasks, scoreAnswers } from './score-answers.js';
import { scoreLikelihoods } from './score-likelihoods.js';
import { compareAll, type ScoredSystem, type ScoresByTask, summarize } from './summarize.js';
import type { Task } from './task.js';

/** The result of `evaluate()`. */
export interface EvaluateResult extends EvaluationResults {
  /** All answers with their scores, by name of the system. */
  samples: Record<string, EvaluationSample[]>;
}

/** A running evaluation: an async iterable of events, with the results as a promise. */
export type EvaluateRun = Run<EvaluateEvent, EvaluateResult>;

/**
 * Measures the answers of several systems on one dataset: models with and without adapters, and outputs that another program
 * wrote. Every mean has a 95 % bootstrap interval, and every pair of systems a paired test. With `output`, the results, a
 * report and all answers are written to a folder. Returns immediately.
 *
 * The run's errors: CONFIG_INVALID, JSON_SCHEMA_INVALID, DATASET_INVALID_ROW, EVALUATION_NO_ROWS, OUTPUTS_MISMATCH, SCORER_FAILED,
 * SCORE_INVALID, RESULTS_EXIST, OUTPUT_NOT_WRITABLE, OUTPUT_IN_USE, the errors of generate() and of reading a dataset, ABORTED.
 *
 * @example
 * const { systems, comparisons } = await evaluate({
 *   dataset: 'validation.jsonl',
 *   systems: [{ model: 'base.gguf' }, { model: 'base.gguf', adapters: ['adapter.gguf'] }],
 *   tasks: ['classification', 'token-f1'],
 * }).result;
 */
export function evaluate(options: EvaluateOptions): EvaluateRun {
  return new Run<EvaluateEvent, EvaluateResult>(
    async ({ emit, signal }) => {
      const config = parseConfig(evaluateSchema, options, 'evaluate options');
      return new Evaluation(config, emit, signal).run();
    },
    { signal: options?.signal },
  );
}

type System = EvaluateConfig['systems'][number] & { name: string };

class Evaluation {
  readonly #config: EvaluateConfig;
  readonly #systems: System[];
  readonly #tasks: Task[];
  readonly #answers = new Map<string, SystemAnswers>();
  /** Scores of tasks that need no answers, by name of the system. */
  readonly #likelihoods = new Map<string, ScoresByTask>();
  readonly #warnings: { code: string; message: string }[] = [];
  readonly #startedAt = new Date().toISOString();
  #data: EvaluationRows = { rows: [], badRows: [] };
  #folder: OutputFolder | null = null;

  constructor(
    config: EvaluateConfig,
    readonly emit: (event: EvaluateEvent) => void,
    readonly signal: AbortSignal,
  ) {
    this.#config = config;
    this.#systems = config.systems.map((system) => ({ ...system, name: nameOfSystem(system) }));
    this.#tasks = createTasks(config.tasks);
  }

  async run(): Promise<EvaluateResult> {
    const files = filesOfEvaluation(this.#config);
    const names = this.#systems.map(({ name }) => name);
    const { output } = this.#config;
    return useFiles(files, () => {
      if (output !== undefined) this.#folder = new OutputFolder(output, names);
      return this.#run();
    });
  }

  async #run(): Promise<EvaluateResult> {
    this.#data = await readEvaluationRows({ ...this.#config, signal: this.signal }, (row) =>
      this.#check(row),
    );
    const { rows, badRows } = this.#data;
    const systems = this.#systems.map(({ name }) => name);
    this.emit({ type: 'plan', systems, rows: rows.length, badRows: badRows.length });
    // Recorded outputs first: their mistakes are found before any model answers.
    for (const system of this.#systems) if (system.outputs !== undefined) await this.#read(system);
    await this.#generate();
    const scored = await this.#score();
    const results = await this.#results(scored);
    this.#folder?.writeResults(results);
    const samples = this.#systems.map(({ name }) => [name, this.#answers.get(name)!.samples]);
    return { ...results, samples: Object.fromEntries(samples) };
  }

  /** Whether the models are asked, because a task scores answers. */
  get #asks(): boolean {
    return this.#tasks.some((task) => task.score !== undefined);
  }

  #check(row: EvaluationRow): void {
    const hasModel = this.#systems.some(({ model }) => model !== undefined);
    if (hasModel && this.#asks && row.prompt === null)
      throw invalidRow(
        row.where,
        'it has no prompt: a row { text } needs the option answerMarker, and a row { tokens } has none',
      );
    for (const task of this.#tasks) task.check(row);
  }

  #begin({ name }: System): void {
    throwIfAborted(this.signal);
    const index = this.#systems.findIndex((system) => system.name === name);
    this.emit({ type: 'system', system: name, index, of: this.#systems.length });
  }

  async #read(system: System): Promise<void> {
    this.#begin(system);
    const { rows, badRows } = this.#data;
    const { outputs, missing } = await readOutputs(system.outputs!, rows, {
      outputField: system.outputField ?? 'output',
      idField: this.#config.idField,
      skipped: new Set(badRows.map(({ index }) => index)),
      maxRows: this.#config.maxRows,
    });
    this.#keep(system, {
      samples: rows.map((row) => {
        const output = outputs.get(row.index) ?? null;
        return newSample(row, system.name, output, output === null ? null : 'recorded');
      }),
      missing: missing.map(({ index }) => ({ index, reason: 'no answer in the recorded outputs' })),
      generatedTokens: null,
      seconds: null,
    });
  }

  /** Loads each model once, for all systems that use it. */
  async #generate(): Promise<void> {
    const models = new Set(this.#systems.flatMap(({ model }) => model ?? []));
    for (const model of models) {
      throwIfAborted(this.signal);
      const load = { ...this.#config, purpose: 'generate', signal: this.signal } as const;
      await useModel(model, load, async (loaded) => {
        for (const system of this.#systems.filter((each) => each.model === model)) {
          this.#begin(system);
          this.#keep(system, await this.#answersOf(system, loaded));
          this.#likelihoods.set(system.name, await this.#likelihoodsOf(system, loaded));
        }
      });
    }
  }

  #answersOf(system: System, model: LoadedModel): SystemAnswers | Promise<SystemAnswers> {
    const { rows } = this.#data;
    if (!this.#asks) return notAsked(system.name, rows);
    const controls = { signal: this.signal, onAnswer: this.#progress(rows.length) };
    return generateAnswers(system, model, rows, this.#config, controls);
  }

  async #likelihoodsOf(system: System, model: LoadedModel): Promise<ScoresByTask> {
    const scores = new Map<string, ScoresByRow>();
    for (const { name, likelihood } of this.#tasks) {
      if (likelihood === undefined) continue;
      const { rows } = this.#data;
      scores.set(
        name,
        await scoreLikelihoods(likelihood, system, model, rows, this.#config, {
          signal: this.signal,
          onProgress: (done, of, etaMs) =>
            this.emit({ type: 'scoring', system: system.name, task: name, done, of, etaMs }),
        }),
      );
    }
    return scores;
  }

  #progress(of: number): (sample: EvaluationSample) => void {
    const started = performance.now();
    let done = 0;
    return (sample) => {
      done += 1;
      const etaMs = done < 2 ? null : ((performance.now() - started) / done) * (of - done);
      this.emit({ type: 'answer', sample, done, of, etaMs });
    };
  }

  /** Keeps answers before they are scored, so that a failing scorer does not lose them. */
  #keep(system: System, answers: SystemAnswers): void {
    this.#answers.set(system.name, answers);
    this.#folder?.writeSamples(system.name, answers.samples);
    const { missing } = answers;
    if (missing.length === 0) return;
    this.#warn(
      'ANSWERS_MISSING',
      `'${system.name}' has no answer to ${missing.length} of ${this.#data.rows.length} rows; ` +
        `row ${missing[0]!.index}: ${missing[0]!.reason}`,
    );
  }

  #warn(code: string, message: string): void {
    this.#warnings.push({ code, message });
    this.emit({ type: 'warning', code, message });
  }

  async #score(): Promise<(ScoredSystem & { results: SystemResults })[]> {
    const options = { rows: this.#data.rows, stripThinking: this.#config.stripThinking };
    const model = this.#systems.find((system) => system.model !== undefined)?.model;
    const all = [...this.#answers.values()].flatMap(({ samples }) => samples);
    const controls = {
      ...{ model, options: this.#config, signal: this.signal },
      warn: (code: string, message: string) => this.#warn(code, message),
    };
    await prepareTasks(this.#tasks, all, options, controls);
    const scored = [];
    for (const system of this.#systems) {
      const { name } = system;
      const { samples } = this.#answers.get(name)!;
      const likelihoods = this.#likelihoods.get(name) ?? new Map();
      const scores = await scoreAnswers(this.#tasks, samples, likelihoods, options, this.signal);
      this.#folder?.writeSamples(name, samples);
      const results = await this.#resultsOf(system, scores);
      this.emit({ type: 'scores', results });
      scored.push({ name, scores, results });
    }
    return scored;
  }

  async #resultsOf(system: System, scores: ScoresByTask): Promise<SystemResults> {
    const { name, model, adapters, outputs } = system;
    const { samples, missing, generatedTokens, seconds } = this.#answers.get(name)!;
    return {
      name,
      model: typeof model === 'object' ? model.path : (model ?? null),
      adapters,
      outputs: outputs ?? null,
      samples: this.#folder?.samplesOf(name) ?? null,
      answers: samples.length - missing.length,
      missing,
      truncated: samples.filter(({ finishReason }) => finishReason === 'length').length,
      generatedTokens,
      seconds,
      ...(await summarize(this.#tasks, scores, this.signal)),
    };
  }

  async #results(
    scored: readonly (ScoredSystem & { results: SystemResults })[],
  ): Promise<EvaluationResults> {
    return {
      format: 'llamatune-evaluation',
      version: EVALUATION_VERSION,
      startedAt: this.#startedAt,
      comparisons: await compareAll(this.#tasks, scored, this.signal),
      finishedAt: new Date().toISOString(),
      files: datasetFiles(this.#config.dataset).map(({ path }) => path),
      rows: this.#data.rows.length,
      badRows: this.#data.badRows,
      warnings: this.#warnings,
      settings: answerOptions(this.#config),
      tasks: this.#tasks.map(({ name, type, measures }) => ({
        name,
        type,
        measures: measures.map((measure) => measure.name),
      })),
      measures: this.#tasks.flatMap(({ measures }) =>
        measures.map(({ terms: _, ofSums: __, ...description }) => description),
      ),
      systems: scored.map(({ results }) => results),
    };
  }
}
