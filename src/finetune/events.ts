/**
 * What a fine-tuning run reports while it works. `type` is the discriminator, so a `switch` narrows the event.
 * A number that was not measured is `null`, never invented. Rates count real tokens, not padding.
 */
export type FinetuneEvent =
  | PhaseEvent
  | StepEvent
  | EvaluationEvent
  | CheckpointEvent
  | EpochEvent
  | WarningEvent
  | DoneEvent;

/** What the run does before its first step, in this order; `detail` is for people. */
export interface PhaseEvent {
  type: 'phase';
  /** 'graph' and 'train' come from the engine, the rest from the preparation. */
  phase: 'validate' | 'model' | 'dataset' | 'memory' | 'graph' | 'train' | 'save' | (string & {});
  /** 0..1 where the phase can measure itself (loading the model), else null. */
  progress: number | null;
  detail: string;
  /** In phase 'graph': whether activations are computed again in the backward pass, as asked for or chosen. */
  recompute?: boolean;
}

/** One optimizer step. */
export interface StepEvent {
  type: 'step';
  /** 1-based. */
  step: number;
  totalSteps: number;
  /** 1-based. */
  epoch: number;
  /** Mean cross-entropy per target token of this step alone, in nats; null where no token of it carries a loss. */
  loss: number | null;
  learningRate: number;
  /** Global L2 norm before clipping; null where no token of the step carries a loss. */
  gradientNorm: number | null;
  /** Non-padding tokens of this step. */
  tokens: number;
  /** Tokens of this step that carry a loss. */
  targetTokens: number;
  tokensPerSecond: number | null;
  samplesPerSecond: number | null;
  stepMs: number;
  forwardMs: number | null;
  backwardMs: number | null;
  lossMs: number | null;
  optimizerMs: number | null;
  dataMs: number | null;
  /** Resident memory of the process. */
  memoryBytes: number | null;
  /** Estimated time until the last step. */
  etaMs: number | null;
}

/** Loss over the validation set. */
export interface EvaluationEvent {
  type: 'evaluation';
  step: number;
  epoch: number;
  /** Mean cross-entropy per target token, in nats. */
  loss: number;
  targetTokens: number;
  ms: number;
}

/** A checkpoint that is complete on disk. */
export interface CheckpointEvent {
  type: 'checkpoint';
  step: number;
  path: string;
}

/** An epoch has ended. */
export interface EpochEvent {
  type: 'epoch';
  epoch: number;
  step: number;
  /** Mean training loss per target token of the epoch. */
  loss: number | null;
}

/** Something the caller should know that does not stop the run. */
export interface WarningEvent {
  type: 'warning';
  code: string;
  message: string;
}

/** The last event of a run that succeeded. */
export interface DoneEvent {
  type: 'done';
  result: FinetuneResult;
}

/** What a fine-tuning run leaves behind. */
export interface FinetuneResult {
  mode: 'lora' | 'full';
  /** The written file: the adapter (mode 'lora') or the whole model (mode 'full'). */
  output: string;
  /** Optimizer steps of the whole run, those before a resume included. */
  steps: number;
  epochs: number;
  /** Loss of the last step. */
  finalLoss: number | null;
  finalValidationLoss: number | null;
  /** Loss of every step that this call ran, in order. */
  losses: Float64Array;
  evaluations: { step: number; loss: number }[];
  samples: number;
  validationSamples: number;
  /** Non-padding tokens of the whole run, including the steps before a resume. */
  tokens: number;
  /** Of those, the ones that carried a loss. */
  targetTokens: number;
  /** Time that the engine took for this call. */
  seconds: number;
  /** Non-padding tokens of the steps of this call, divided by `seconds`. */
  tokensPerSecond: number | null;
  trainableParameters: number;
  peakMemoryBytes: number | null;
  /** What the run was estimated to need before it started. */
  estimatedMemoryBytes: number;
  /** Whether activations were computed again in the backward pass. */
  recompute: boolean;
  /** Of the products on the CPU: what was asked for, or what 'auto' chose. */
  precision: 'f32' | 'bf16';
  warnings: { code: string; message: string }[];
}
