import type { AdapterInfo } from '../contract/model.js';
import type {
  EnginePhaseEvent,
  TrainEvent,
  TrainOptions,
  TrainResult,
} from '../contract/training.js';

/**
 * An event of a fine-tuning run. `type` is the discriminator, so a `switch` narrows the event. A value that was not
 * measured is `null`. Rates do not count padding tokens.
 */
export type FinetuneEvent = Exclude<TrainEvent, EnginePhaseEvent> | PhaseEvent | DoneEvent;

/** A phase of the run starts. Phases come in the order below; the steps come between 'train' and 'save'. */
export interface PhaseEvent {
  type: 'phase';
  /** 'graph', 'train' and 'save' are phases of the engine, the others of the preparation. */
  phase: 'validate' | 'model' | 'dataset' | 'memory' | EnginePhaseEvent['phase'];
  /** Progress from 0 to 1 while the model is loaded, otherwise null. */
  progress: number | null;
  /** A short description for display; may be ''. */
  detail: string;
  /** Only in phase 'graph': whether gradient checkpointing is on, as given or chosen by 'auto'. */
  gradientCheckpointing?: boolean;
  /** Only in phase 'graph': whether frozen weights are kept in the layout of matrix products, as given or chosen by 'auto'. */
  weightCache?: boolean;
  /** Only in phase 'train' of a run with checkpoints: the run in their names. */
  run?: string;
}

/** The last event of a run that succeeded. */
export interface DoneEvent {
  type: 'done';
  result: FinetuneResult;
}

/** The result of a fine-tuning run. */
export interface FinetuneResult
  extends TrainResult,
    Pick<TrainOptions, 'mode' | 'epochs' | 'precision' | 'gradientCheckpointing' | 'weightCache'> {
  /** The written file: the adapter (mode 'lora') or the whole model (mode 'full'). */
  output: string;
  /** The written adapter: rank, alpha and weights as they are in the file; null with mode 'full'. */
  adapter: AdapterInfo | null;
  /**
   * The model card next to the output; null with `modelCard: false`, if a README.md of another origin is there, or if it
   * could not be written, which is a warning.
   */
  modelCard: string | null;
  /** The run log, next to the output or where `runLog` says; null with `runLog: false`. */
  runLog: string | null;
  /** Training samples. */
  samples: number;
  validationSamples: number;
  /** Tokens of a micro-batch, as given or chosen by 'auto'; null with `packing` or `microBatchSize`. */
  microBatchTokens: number | null;
  /** Memory estimate from before the run started, to compare with peakMemoryBytes. */
  estimatedMemoryBytes: number;
  /** All warnings of the run. */
  warnings: { code: string; message: string }[];
}
