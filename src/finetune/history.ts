import type { FinetuneConfig } from '../config/finetune.js';
import type { AdapterInfo } from '../contract/model.js';
import type {
  EnginePhaseEvent,
  TrainEvent,
  TrainOptions,
  TrainResult,
} from '../contract/training.js';
import type { PreparedDataset } from '../data/prepare.js';
import { ExpertHistory, type ExpertSpan } from '../expert-history.js';
import { runLogOf } from '../files/run-files.js';
import type { FinetuneEvent, FinetuneResult } from './events.js';
import { hasTokenBudget } from './layout.js';

type ReportedEvent = Exclude<TrainEvent, EnginePhaseEvent>;

/** The epochs of a run that a decision has extended, otherwise 0. */
const extendedTo = ({ interventions }: TrainResult): number =>
  interventions.findLast(({ kind }) => kind === 'extend')?.after ?? 0;

/** Forwards the events of a run and collects the data for its result. */
export class RunHistory {
  readonly #config: FinetuneConfig;
  readonly #dataset: PreparedDataset;
  readonly #emit: (event: FinetuneEvent) => void;
  readonly #warnings: { code: string; message: string }[] = [];
  readonly #experts = new ExpertHistory();

  constructor(
    config: FinetuneConfig,
    dataset: PreparedDataset,
    emit: (event: FinetuneEvent) => void,
  ) {
    this.#config = config;
    this.#dataset = dataset;
    this.#emit = emit;
  }

  add(event: ReportedEvent): void {
    if (event.type === 'step') this.#experts.add(event.step, event.experts);
    if (event.type === 'warning') this.#warnings.push({ code: event.code, message: event.message });
    this.#emit(event);
  }

  warnAboutSamples(): void {
    const { truncated, answersCut, split, skipped, badRows, openEnds } = this.#dataset.counts;
    const length = `longer than sequenceLength (${this.#config.sequenceLength})`;
    if (truncated > 0) {
      const answers = answersCut === 0 ? '' : `; ${answersCut} of them lost a part of an answer`;
      this.#warn('SAMPLES_TRUNCATED', `${truncated} samples ${length} were truncated${answers}`);
    }
    if (split > 0) this.#warn('SAMPLES_SPLIT', `${split} samples ${length} were split`);
    if (skipped > 0) this.#warn('SAMPLES_SKIPPED', `${skipped} samples ${length} were skipped`);
    if (badRows.count > 0) {
      this.#warn(
        'ROWS_SKIPPED',
        `${badRows.count} rows that cannot be trained on were skipped, the first one because of this: ${badRows.first}`,
      );
    }
    if (openEnds.count > 0) {
      this.#warn(
        'ANSWER_WITHOUT_END',
        `the learned answers of ${openEnds.count} conversations do not end with an end-of-generation token of the vocabulary ` +
          `(${openEnds.first}), so generate() will continue after them: use another chatTemplate, or pass their end as stop`,
      );
    }
  }

  /** @param available whether bfloat16 can be used here; otherwise `precision: 'bf16'` means F32. */
  warnAboutPrecision(available: boolean): void {
    if (this.#config.precision !== 'bf16' || available) return;
    this.#warn(
      'PRECISION_UNAVAILABLE',
      "precision 'bf16' is not available: this build finds no bfloat16 units on this CPU; F32 is used instead",
    );
  }

  /** @param available whether this run's matrix products read weights in another layout than the model's. */
  warnAboutWeightCache(available: boolean): void {
    if (this.#config.weightCache !== true || available) return;
    this.#warn(
      'WEIGHT_CACHE_UNAVAILABLE',
      'weightCache has no effect: only bfloat16 products on a CPU with bfloat16 units read quantized or 16-bit weights in another layout',
    );
  }

  #warn(code: string, message: string): void {
    this.add({ type: 'warning', code, message });
  }

  /** The experts that the steps of this call used; empty without `expertStatistics`. */
  expertSpans(): ExpertSpan[] {
    return this.#experts.spans();
  }

  result(
    outcome: TrainResult,
    options: TrainOptions,
    estimatedMemoryBytes: number,
    adapter: AdapterInfo | null,
  ): FinetuneResult {
    const { epochs, precision, layout, gradientCheckpointing, microBatchTokens, weightCache } =
      options;
    return {
      ...outcome,
      mode: this.#config.mode,
      output: this.#config.output,
      adapter,
      modelCard: null,
      runLog: runLogOf(this.#config),
      epochs: Math.max(epochs, extendedTo(outcome)),
      samples: this.#dataset.train.samples,
      validationSamples: this.#dataset.validation?.samples ?? 0,
      estimatedMemoryBytes,
      gradientCheckpointing,
      weightCache,
      microBatchTokens: hasTokenBudget(layout) ? microBatchTokens : null,
      precision,
      warnings: this.#warnings,
    };
  }
}
