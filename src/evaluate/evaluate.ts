import {
  type EvaluateConfig,
  type EvaluateOptions,
  evaluateSchema,
  nameOfSystem,
} from '../config/evaluate.js';
import { parseConfig } from '../config/parse.js';
import { Run, throwIfAborted } from '../contract/run.js';
import { type CallFiles, checkFiles, type InputFile } from '../files/check.js';
import { datasetFiles } from '../files/dataset-files.js';
import { holdOutputs } from '../files/lock.js';
import { filesOfRun, modelFile } from '../files/run-files.js';
import { useModel } from '../model/use-model.js';
import { createTasks, withoutThinking } from './create-tasks.js';
import { generateAnswers, generationSettings, type SystemAnswers } from './generate-answers.js';
import { OutputFolder } from './output-folder.js';
import { readOutputs } from './outputs.js';
import { EVALUATION_VERSION, type EvaluationResults, type SystemResults } from './results.js';
import { type EvaluationRow, type EvaluationRows, invalidRow, readEvaluationRows } from './rows.js';
import { type EvaluationSample, newSample } from './samples.js';
import { compareAll, type ScoredSystem, type ScoresByTask, summarize } from './summarize.js';
import type { Task, TaskScore } from './task.js';

/** An event of an evaluation. */
export type EvaluateEvent =
  /** The dataset is read. */
  | { type: 'start'; systems: string[]; rows: number; badRows: number }
  /** A system begins to answer, or its recorded outputs are read. */
  | { type: 'system'; system: string; index: number; of: number }
  /** A model has answered a row. The sample has no scores yet. */
  | {
      type: 'answer';
      sample: EvaluationSample;
      done: number;
      of: number;
      /** Until this system has answered all rows; null for the first answer. */
      etaMs: number | null;
    }
  | { type: 'warning'; code: string; message: string }
  /** All answers of a system are scored. */
  | { type: 'scores'; results: SystemResults };

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
    const files = filesOf(this.#config);
    const names = this.#systems.map(({ name }) => name);
    const { output } = this.#config;
    if (output !== undefined) this.#folder = new OutputFolder(output, names);
    checkFiles(files);
    return holdOutputs(files.outputs, () => this.#run());
  }

  async #run(): Promise<EvaluateResult> {
    this.#data = await readEvaluationRows({ ...this.#config, signal: this.signal }, (row) =>
      this.#check(row),
    );
    const { rows, badRows } = this.#data;
    const systems = this.#systems.map(({ name }) => name);
    this.emit({ type: 'start', systems, rows: rows.length, badRows: badRows.length });
    // Recorded outputs first: their mistakes are found before any model answers.
    for (const system of this.#systems) if (system.outputs !== undefined) await this.#read(system);
    await this.#generate();
    const scored: (ScoredSystem & { results: SystemResults })[] = [];
    for (const system of this.#systems) {
      const scores = await this.#score(system);
      const results = this.#resultsOf(system, scores);
      scored.push({ name: system.name, scores, results });
      this.emit({ type: 'scores', results });
    }
    const results = await this.#results(scored);
    this.#folder?.writeResults(results);
    const samples = this.#systems.map(({ name }) => [name, this.#answers.get(name)!.samples]);
    return { ...results, samples: Object.fromEntries(samples) };
  }

  #check(row: EvaluationRow): void {
    const generates = this.#systems.some(({ outputs }) => outputs === undefined);
    if (generates && row.prompt === null)
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
      outputField: system.outputField,
      idField: this.#config.idField,
      skipped: new Set(badRows.map(({ index }) => index)),
    });
    this.#keep(system, {
      samples: rows.flatMap((row) => {
        const output = outputs.get(row.index);
        return output === undefined ? [] : [newSample(row, system.name, output, 'recorded')];
      }),
      missing: missing.map(({ index }) => ({ index, reason: 'not in the recorded outputs' })),
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
          const { rows } = this.#data;
          const onAnswer = this.#progress(rows.length);
          const controls = { signal: this.signal, onAnswer };
          this.#keep(system, await generateAnswers(system, loaded, rows, this.#config, controls));
        }
      });
    }
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
    this.emit({
      type: 'warning',
      code: 'ANSWERS_MISSING',
      message:
        `'${system.name}' has no answer to ${missing.length} of ${this.#data.rows.length} rows; ` +
        `row ${missing[0]!.index}: ${missing[0]!.reason}`,
    });
  }

  /** Scores by name of the task. */
  async #score({ name }: System): Promise<ScoresByTask> {
    const { samples } = this.#answers.get(name)!;
    const rows = new Map(this.#data.rows.map((row) => [row.index, row]));
    const scores = new Map(this.#tasks.map((task) => [task.name, new Map<number, TaskScore>()]));
    for (const sample of samples) {
      throwIfAborted(this.signal);
      const { index, output } = sample;
      const text = this.#config.stripThinking ? withoutThinking(output) : output;
      for (const task of this.#tasks) {
        const answer = { row: rows.get(index)!, system: name, text };
        const score = await task.score(answer, this.signal);
        scores.get(task.name)!.set(index, score);
        sample.scores[task.name] = score.value;
        if (score.pair !== undefined)
          sample.labels = { ...sample.labels, [task.name]: score.pair.predicted };
      }
    }
    this.#folder?.writeSamples(name, samples);
    return scores;
  }

  #resultsOf(system: System, scores: ScoresByTask): SystemResults {
    const { name, model, adapters, outputs } = system;
    const { samples, missing, generatedTokens, seconds } = this.#answers.get(name)!;
    return {
      name,
      model: typeof model === 'object' ? model.path : (model ?? null),
      adapters,
      outputs: outputs ?? null,
      samples: this.#folder?.samplesOf(name) ?? null,
      answers: samples.length,
      missing,
      cutOff: samples.filter(({ finishReason }) => finishReason === 'length').length,
      generatedTokens,
      seconds,
      ...summarize(this.#tasks, scores),
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
      settings: generationSettings(this.#config),
      tasks: this.#tasks.map(({ name, type, measures }) => ({
        name,
        type,
        measures: measures.map((measure) => measure.name),
      })),
      measures: this.#tasks.flatMap(({ measures }) =>
        measures.map(({ statistic: _, ...description }) => description),
      ),
      systems: scored.map(({ results }) => results),
    };
  }
}

/** Every file that an evaluation reads, and its output folder. */
function filesOf({ systems, dataset, output }: EvaluateConfig): CallFiles {
  const inputs = systems.flatMap(({ model, adapters, outputs }, i): InputFile[] => [
    ...modelFile(model).map((file) => ({ ...file, field: `systems.${i}.model` })),
    ...adapters.map(({ path }) => ({
      field: `systems.${i}.adapters`,
      path,
      kind: 'adapter' as const,
    })),
    ...(outputs === undefined
      ? []
      : [{ field: `systems.${i}.outputs`, path: outputs, kind: 'dataset' as const }]),
  ]);
  return {
    inputs: [...filesOfRun({ dataset }).inputs, ...inputs],
    outputs: output === undefined ? [] : [{ field: 'output', path: output, kind: 'folder' }],
  };
}
