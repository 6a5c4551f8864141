import type { FinetuneConfig } from '../config/finetune.js';
import type { AdapterInfo } from '../contract/model.js';
import type {
  EnginePhaseEvent,
  TrainEvent,
  TrainOptions,
  TrainResult,
} from '../contract/training.js';
import type { PreparedDataset } from '../data/prepare.js';
import type { FinetuneEvent, FinetuneResult } from './events.js';
import type { MemoryChoice } from './memory.js';

type ReportedEvent = Exclude<TrainEvent, EnginePhaseEvent>;

/** Passes a run's events on and remembers what its result tells of them. */
export class RunHistory {
  readonly #config: FinetuneConfig;
  readonly #dataset: PreparedDataset;
  readonly #emit: (event: FinetuneEvent) => void;
  readonly #losses: number[] = [];
  readonly #evaluations: { step: number; loss: number }[] = [];
  readonly #warnings: { code: string; message: string }[] = [];

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
    // a gap stays a gap: NaN, as typed arrays have no null
    if (event.type === 'step') this.#losses.push(event.loss ?? Number.NaN);
    if (event.type === 'evaluation') this.#evaluations.push({ step: event.step, loss: event.loss });
    if (event.type === 'warning') this.#warnings.push({ code: event.code, message: event.message });
    this.#emit(event);
  }

  warnAboutSamples(): void {
    const { truncated, skipped } = this.#dataset;
    const length = `longer than sequenceLength (${this.#config.sequenceLength})`;
    if (truncated > 0) this.#warn('SAMPLES_TRUNCATED', `${truncated} samples ${length} were cut`);
    if (skipped > 0) this.#warn('SAMPLES_SKIPPED', `${skipped} samples ${length} were left out`);
  }

  /** @param available whether bfloat16 is of use here; what asks for it gets F32 otherwise. */
  warnAboutPrecision(available: boolean): void {
    if (this.#config.precision !== 'bf16' || available) return;
    this.#warn(
      'PRECISION_UNAVAILABLE',
      "expected bfloat16 units of the CPU for precision 'bf16' but there are none that this build can use: F32 is used",
    );
  }

  #warn(code: string, message: string): void {
    this.add({ type: 'warning', code, message });
  }

  result(
    outcome: TrainResult,
    { totalBytes, gradientCheckpointing }: MemoryChoice,
    precision: TrainOptions['precision'],
    adapter: AdapterInfo | null,
  ): FinetuneResult {
    return {
      ...outcome,
      mode: this.#config.mode,
      output: this.#config.output,
      adapter,
      epochs: this.#config.epochs,
      losses: Float64Array.from(this.#losses),
      evaluations: this.#evaluations,
      samples: this.#dataset.train.samples,
      validationSamples: this.#dataset.validation?.samples ?? 0,
      estimatedMemoryBytes: totalBytes,
      gradientCheckpointing,
      precision,
      warnings: this.#warnings,
    };
  }
}
