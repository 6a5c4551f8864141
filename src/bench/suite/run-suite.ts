import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '../../config/parse.js';
import {
  benchmarkId,
  type Suite,
  type SuiteOptions,
  type SuitePrices,
  suiteSchema,
} from '../../config/suite.js';
import { Run, throwIfAborted } from '../../contract/run.js';
import { LlamatuneError } from '../../errors.js';
import { checkFiles, type InputFile, type OutputFile } from '../../files/check.js';
import { holdOutputs } from '../../files/lock.js';
import { HardwareSampler } from '../../hardware/sampler.js';
import { systemInfo } from '../../model/system-info.js';
import { versions } from '../../model/versions.js';
import { checkTrials } from './check-suite.js';
import { estimatePlan, type PlanEstimate } from './estimate-plan.js';
import { addReadings, startHardwareFile } from './hardware-file.js';
import { describeMachine } from './machine.js';
import { modelCacheFolder, neededModel } from './models.js';
import { type PlannedTrial, planTrials } from './plan.js';
import { RESULTS_VERSION, type SuiteResults, type TrialResult } from './results.js';
import { finishedTrials, writeResults, writeTrialLog } from './results-file.js';
import { isShape } from './shapes.js';
import { spawnTrial, type TrialEnd } from './spawn-trial.js';
import { SUITES } from './suites.js';
import { powerOfTrial } from './trial-hardware.js';

/** Options of runSuite(). Prices replace those of the suite. */
export interface RunSuiteOptions extends SuitePrices {
  /** A suite, or the name of one that comes with llamatune: 'smoke', 'small', 'medium', 'full', 'all', 'peft'. */
  suite: SuiteOptions | keyof typeof SUITES;
  /** Folder for the results, which is made. */
  output: string;
  /** Continue the results in the folder. Default: false. */
  resume?: boolean | undefined;
  /** Folder for the models that the suite makes. Default: the user's cache folder. */
  modelCache?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** An event of a suite. */
export type SuiteEvent =
  /** All trials, before the first one; `finished` of them have results already. */
  | { type: 'plan'; trials: PlannedTrial[]; finished: number }
  /** A model is being made, which can take minutes. */
  | { type: 'model'; model: string; weightType: string; path: string }
  /** A trial starts. */
  | { type: 'trial'; key: string; index: number; of: number; pid: number; etaMs: number | null }
  /** A repetition or a step of a trial has ended. */
  | { type: 'progress'; key: string; done: number; of: number }
  /** A trial has ended, in whatever way. */
  | { type: 'sample'; trial: TrialResult };

/** A running suite: an async iterable of events, with the results as a promise. */
export type SuiteRun = Run<SuiteEvent, SuiteResults>;

/**
 * Runs a benchmark suite and keeps its results in `results.json` in the output folder, which is complete after every
 * trial. Each trial runs in a separate process. A trial that fails, runs too long or needs too much memory is a result
 * that says so.
 *
 * The run's errors: CONFIG_INVALID with the problems of all trials, MODEL_NOT_FOUND, DATASET_NOT_FOUND, SHAPE_UNKNOWN,
 * RESULTS_EXIST, RESULTS_INVALID, RESULTS_MISMATCH, OUTPUT_NOT_WRITABLE, OUTPUT_IN_USE, ABORTED.
 */
export function runSuite(options: RunSuiteOptions): SuiteRun {
  return new Run<SuiteEvent, SuiteResults>(
    async ({ emit, signal }) => new SuiteRunner(options, emit, signal).run(),
    { signal: options.signal },
  );
}

/**
 * The trials of a suite in order, without running them, with estimates of what each needs on this machine. Measures the
 * speed of the machine, which takes some seconds.
 *
 * @throws LlamatuneError CONFIG_INVALID, MODEL_NOT_FOUND, SHAPE_UNKNOWN
 */
export async function planSuite(
  options: Pick<RunSuiteOptions, 'suite' | 'modelCache'>,
): Promise<PlanEstimate> {
  const suite = suiteOf(options);
  const trials = planTrials(suite);
  checkTrials(suite, trials, systemInfo().weightTypes);
  const { measurePeak } = suite;
  return estimatePlan(trials, { modelCache: options.modelCache, measurePeak });
}

function suiteOf({
  suite,
  electricityPricePerKwh,
  cloudPricePerHour,
}: Pick<RunSuiteOptions, 'suite' | keyof SuitePrices>): Suite {
  const given = typeof suite === 'string' ? knownSuite(suite) : suite;
  const whole = {
    ...given,
    ...(electricityPricePerKwh === undefined ? {} : { electricityPricePerKwh }),
    ...(cloudPricePerHour === undefined ? {} : { cloudPricePerHour }),
  };
  return parseConfig(suiteSchema, whole, 'benchmark suite');
}

function knownSuite(name: string): SuiteOptions {
  const known = Object.hasOwn(SUITES, name) ? SUITES[name as keyof typeof SUITES] : undefined;
  if (known !== undefined) return known;
  throw new LlamatuneError('CONFIG_INVALID', `there is no benchmark suite '${name}'`, {
    hint: `use one of ${Object.keys(SUITES).join(', ')}, or pass your own suite`,
    problems: [{ path: 'suite', message: `expected the name of a suite but received '${name}'` }],
  });
}

/** A suite as results record it: without undefined fields, so that it is the same after writing and reading it. */
function recordedSuite(suite: Suite): SuiteResults['suite'] {
  const named = suite.benchmarks.map((entry) => ({ ...entry, id: benchmarkId(entry) }));
  return JSON.parse(JSON.stringify({ ...suite, benchmarks: named }));
}

/** Whether a recorded suite is the one that comes with llamatune under its name. */
export function isBuiltInSuite(suite: SuiteResults['suite']): boolean {
  const known = Object.entries(SUITES).find(([name]) => name === suite.name)?.[1];
  return known !== undefined && isDeepStrictEqual(recordedSuite(suiteOf({ suite: known })), suite);
}

/** The files that the trials read. */
function inputsOf(planned: readonly PlannedTrial[]): InputFile[] {
  const files = planned.flatMap(({ spec }): InputFile[] => [
    ...(isShape(spec.model) ? [] : [{ field: 'models', path: spec.model, kind: 'model' } as const]),
    ...(spec.kind === 'training' ? [spec.dataset, spec.validation] : []).flatMap((path) =>
      path === null ? [] : [{ field: 'dataset', path, kind: 'dataset' } as const],
    ),
  ]);
  return [...new Map(files.map((file) => [file.path, file])).values()];
}

class SuiteRunner {
  readonly #suite: Suite;
  readonly #planned: PlannedTrial[];
  readonly #folder: string;
  readonly #cache: string;
  readonly #resume: boolean;
  readonly #outputs: readonly OutputFile[];
  /** Folders of the outputs that did not exist before. */
  readonly #newFolders: readonly string[];

  constructor(
    options: RunSuiteOptions,
    readonly emit: (event: SuiteEvent) => void,
    readonly signal: AbortSignal,
  ) {
    this.#suite = suiteOf(options);
    this.#planned = planTrials(this.#suite);
    checkTrials(this.#suite, this.#planned, systemInfo().weightTypes);
    this.#folder = resolve(options.output);
    this.#cache = resolve(options.modelCache ?? modelCacheFolder());
    this.#resume = options.resume ?? false;
    // finds unknown shapes before the first trial
    for (const { spec } of this.#planned) neededModel(spec.model, spec.weightType, this.#cache);
    this.#outputs = [{ field: 'output', path: this.#folder, kind: 'folder' }];
    this.#newFolders = checkFiles({ inputs: inputsOf(this.#planned), outputs: this.#outputs });
  }

  get #hardwarePath(): string {
    return join(this.#folder, 'hardware.csv');
  }

  run(): Promise<SuiteResults> {
    return holdOutputs(this.#outputs, () => this.#run(), this.#newFolders);
  }

  async #run(): Promise<SuiteResults> {
    const trials = finishedTrials(this.#folder, this.#planned, this.#resume);
    await using sampler = await HardwareSampler.start({ signal: this.signal });
    const results: SuiteResults = {
      format: 'llamatune-bench',
      version: RESULTS_VERSION,
      suite: recordedSuite(this.#suite),
      machine: await describeMachine(),
      versions: versions(),
      startedAt: trials[0]?.startedAt ?? new Date().toISOString(),
      finishedAt: null,
      sensors: sampler.sources,
      trials,
    };
    const done = new Set(trials.map(({ key }) => key));
    await startHardwareFile(this.#hardwarePath, 'trial', (key) => done.has(key));
    this.emit({ type: 'plan', trials: this.#planned, finished: trials.length });
    for (const [index, trial] of this.#planned.entries()) {
      if (done.has(trial.key)) continue;
      throwIfAborted(this.signal);
      const result = await this.#trial(trial, index, trials, sampler);
      trials.push(result);
      writeResults(this.#folder, results);
      this.emit({ type: 'sample', trial: result });
    }
    results.finishedAt = new Date().toISOString();
    writeResults(this.#folder, results);
    return results;
  }

  async #trial(
    planned: PlannedTrial,
    index: number,
    finished: readonly TrialResult[],
    sampler: HardwareSampler,
  ): Promise<TrialResult> {
    const { key, spec } = planned;
    const before = await sampler.latest();
    const startedAt = new Date().toISOString();
    const started = performance.now();
    const end = await this.#measure(planned, (pid) => {
      sampler.take(); // readings of the time before the trial
      this.emit({
        type: 'trial',
        key,
        index,
        of: this.#planned.length,
        pid,
        etaMs: this.#eta(finished),
      });
    });
    const seconds = (performance.now() - started) / 1000;
    writeTrialLog(this.#folder, index, key, end.log);
    const after = await sampler.latest();
    const readings = sampler.take();
    const {
      measures = {},
      details = {},
      series = {},
      experts = null,
      expertSpans = [],
      measured = null,
    } = end.measurement ?? {};
    await addReadings(this.#hardwarePath, key, readings, measured);
    const { power, measures: ofPower } = powerOfTrial(
      spec,
      readings,
      measured,
      systemInfo().devices,
    );
    return {
      key,
      benchmark: planned.benchmark,
      label: planned.label,
      varied: planned.varied,
      spec,
      startedAt,
      seconds,
      outcome: end.outcome,
      measures: { ...measures, ...ofPower },
      details,
      series,
      experts,
      expertSpans,
      noise: end.noise,
      hardware: { before, after, power },
    };
  }

  async #measure({ key, spec }: PlannedTrial, onStart: (pid: number) => void): Promise<TrialEnd> {
    const { minutes, memoryBytes } = this.#suite.limits;
    const { path, make } = neededModel(spec.model, spec.weightType, this.#cache);
    if (make !== undefined && spec.kind !== 'peft') {
      this.emit({ type: 'model', model: spec.model, weightType: spec.weightType, path });
      try {
        await make();
      } catch (error) {
        if (!(error instanceof LlamatuneError)) throw error;
        const { code, message } = error;
        const outcome = { status: 'failed' as const, code, message };
        return { outcome, measurement: null, noise: null, log: '' };
      }
    }
    return spawnTrial(
      {
        spec,
        modelPath: path,
        measurePeak: this.#suite.measurePeak,
        memoryLimitBytes: memoryBytes ?? totalmem(),
      },
      {
        minutes,
        signal: this.signal,
        onProgress: (done, of) => this.emit({ type: 'progress', key, done, of }),
        onStart,
      },
    );
  }

  /** From the mean time of the finished trials; null before the first one has ended. */
  #eta(finished: readonly TrialResult[]): number | null {
    if (finished.length === 0) return null;
    const seconds = finished.reduce((total, trial) => total + trial.seconds, 0);
    return ((1000 * seconds) / finished.length) * (this.#planned.length - finished.length);
  }
}
