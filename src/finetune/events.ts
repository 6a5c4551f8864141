import type { AdapterInfo } from '../contract/model.js';
import type {
  EnginePhaseEvent,
  TrainEvent,
  TrainOptions,
  TrainResult,
} from '../contract/training.js';

/**
 * What a fine-tuning run reports while it works. `type` is the discriminator, so a `switch` narrows the event.
 * A number that was not measured is `null`, never invented. Rates count real tokens, not padding.
 */
export type FinetuneEvent = Exclude<TrainEvent, EnginePhaseEvent> | PhaseEvent | DoneEvent;

/** What the run does next, in this order; the steps come between 'train' and 'save'. `detail` is for people. */
export interface PhaseEvent {
  type: 'phase';
  /** 'graph', 'train' and 'save' come from the engine, the rest from the preparation. */
  phase: 'validate' | 'model' | 'dataset' | 'memory' | EnginePhaseEvent['phase'];
  /** 0..1 where the phase can measure itself (loading the model), else null. */
  progress: number | null;
  detail: string;
  /** In phase 'graph': as given, or what 'auto' chose. */
  gradientCheckpointing?: boolean;
}

/** The last event of a run that succeeded. */
export interface DoneEvent {
  type: 'done';
  result: FinetuneResult;
}

/** What a fine-tuning run leaves behind. */
export interface FinetuneResult
  extends TrainResult,
    Pick<TrainOptions, 'mode' | 'epochs' | 'precision' | 'gradientCheckpointing'> {
  /** The written file: the adapter (mode 'lora') or the whole model (mode 'full'). */
  output: string;
  /** The written adapter: rank, alpha and weights as they are in the file; null with mode 'full'. */
  adapter: AdapterInfo | null;
  /** Loss of every step that this call ran, in order; NaN for a step without a loss. */
  losses: Float64Array;
  evaluations: { step: number; loss: number }[];
  samples: number;
  validationSamples: number;
  /** What the run was estimated to need before it started. */
  estimatedMemoryBytes: number;
  warnings: { code: string; message: string }[];
}
