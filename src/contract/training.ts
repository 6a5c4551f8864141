import type { FinetuneConfig } from '../config/finetune.js';
import type { ExpertCounts } from './model.js';

/** How the samples of a step become micro-batches; see native/data/layout.h. */
export type BatchLayout = 'padding-free' | 'by-length' | 'packed' | 'padded';

/** Fields that the preparation of a run adds to the configuration. */
export interface PreparedTraining {
  /** Token file of the training samples. */
  trainFile: string;
  /** The options of the validation, with the token file of its samples instead of a dataset. */
  validation:
    | {
        file: string;
        everySteps: number;
        /** 0: none. */
        patience: number;
        keepBest: boolean;
      }
    | undefined;
  checkpoint: PreparedCheckpoint | undefined;
  /** Learning rate of every batch of `batchSize` samples. A step is one batch, unless adaptive training accumulates. */
  learningRates: Float32Array;
  /** Whether the training waits for a decision about each step. */
  adaptive: boolean;
  layout: BatchLayout;
  /** The value that 'auto' resolved to; layouts 'padding-free' and 'by-length'. */
  microBatchTokens: number;
  /** Rows of a micro-batch; layouts 'packed' and 'padded'. */
  microBatchSize: number;
  /** The precision that 'auto' resolved to. */
  precision: 'f32' | 'bf16';
  /** The value that 'auto' resolved to. */
  gradientCheckpointing: boolean;
  /** The value that 'auto' resolved to. */
  weightCache: boolean;
}

/** The options of checkpoints; 0 means never, and `keepLast` 0 means all. */
export interface PreparedCheckpoint {
  directory: string;
  everySteps: number;
  everyMinutes: number;
  everyEpoch: boolean;
  keepLast: number;
  keepBest: boolean;
  /** `allowable`: the options that `allow` may name. */
  resume: { from: string; allow: string[]; allowable: string[] } | undefined;
  /** Options that decide what the steps compute and that the engine does not know, with their values as text. */
  facts: { option: string; value: string }[];
}

/** The validated configuration, with the fields that the preparation adds. */
export interface TrainOptions
  extends Omit<FinetuneConfig, keyof PreparedTraining>,
    PreparedTraining {}

/** The options that the layout of micro-batches depends on. */
export interface LayoutRequest
  extends Pick<
    TrainOptions,
    'batchSize' | 'sequenceLength' | 'microBatchTokens' | 'microBatchSize'
  > {
  layout: BatchLayout;
}

/** Number of samples, steps and tokens of a run. */
export interface TrainPlan {
  samples: number;
  stepsPerEpoch: number;
  totalSteps: number;
  /** Non-padding tokens of one epoch. */
  tokens: number;
  /** Tokens of one epoch that carry a loss. */
  targetTokens: number;
  /** Tokens of the longest sample, of training or validation. */
  longestSample: number;
  /** Tokens of a micro-batch that can hold any step. */
  largestStep: number;
  /** Tokens of a micro-batch that can hold any step or part of an evaluation. More microBatchTokens change nothing. */
  largestMicroBatch: number;
}

/** Memory that a training run needs, in bytes. */
export interface MemoryNeeds {
  weightsBytes: number;
  /** Trained tensors of the adapter, and all gradients. */
  adapterBytes: number;
  /** The optimizer's state and its temporary tensors. */
  optimizerBytes: number;
  /** Compute buffers of a step and scratch memory of its kernels; they grow with the tokens of a micro-batch. */
  activationBytes: number;
  /** The structures that describe the computation graphs. */
  graphBytes: number;
  /** Frozen weights in the layout that matrix products read, with `weightCache`; otherwise 0. */
  weightCacheBytes: number;
  /** The rest of this process: Node.js, program code, the tokenizer, other models. Most of it is in use already. */
  processBytes: number;
  /** The sum: the peak memory of the process and, with GPUs, of its devices. */
  totalBytes: number;
}

export type TrainEvent =
  | EnginePhaseEvent
  | StepEvent
  | EvaluationEvent
  | CheckpointEvent
  | ResumeEvent
  | PauseEvent
  | EpochEvent
  | InterventionEvent
  | WarningEvent;

/** The engine starts to build its graph, to train, or to write the output. */
export interface EnginePhaseEvent {
  type: 'phase';
  phase: 'graph' | 'train' | 'save';
  /** In phase 'train': the run in the names of its checkpoints; null without checkpoints, and in other phases. */
  run: string | null;
}

/**
 * Metrics of the objective by name, as means over the target tokens with the weights of their losses; null if no token
 * carries a loss, or a loss is not finite. Cross-entropy has `tokenAccuracy`, 0 to 1: the share of target tokens that have
 * the largest logit. Steps with `loadBalanceLoss` also have a metric of this name: the load-balance loss of the routers without
 * its coefficient, as mean over the layers and all tokens.
 */
export type ObjectiveMetrics = Record<string, number | null>;

/**
 * One optimizer step. Times are in milliseconds, and rates count non-padding tokens. A value that was not measured is
 * null.
 */
export interface StepEvent {
  type: 'step';
  /** 1-based. */
  step: number;
  totalSteps: number;
  /** 1-based. */
  epoch: number;
  /**
   * Mean loss per target token of this step alone, in nats, with label smoothing; null if no token of the step carries a
   * loss.
   */
  loss: number | null;
  metrics: ObjectiveMetrics;
  learningRate: number;
  /** Global L2 norm before clipping; null if no token of the step carries a loss. */
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
  /** Resident memory of the process in bytes. */
  memoryBytes: number | null;
  /** Estimated time until the end of the last step. */
  etaMs: number | null;
  /** The experts that the tokens of this step used, with `expertStatistics`, otherwise null. */
  experts: ExpertCounts[] | null;
}

/** The loss and the metrics on the validation set. */
export interface EvaluationEvent {
  type: 'evaluation';
  step: number;
  epoch: number;
  /** Mean loss per target token, in nats, without label smoothing. */
  loss: number;
  metrics: ObjectiveMetrics;
  targetTokens: number;
  ms: number;
}

/** A complete checkpoint was written to disk. */
export interface CheckpointEvent {
  type: 'checkpoint';
  step: number;
  path: string;
}

/** The run continues from a checkpoint; its next step is `step + 1`. */
export interface ResumeEvent {
  type: 'resume';
  step: number;
  path: string;
  /** Of the steps up to the checkpoint. */
  history: StepHistory;
}

/** What the steps of a run have done, in order. */
export interface StepHistory {
  /** Loss of each step; NaN for a step without a loss. */
  losses: Float64Array;
  /** Learning rate of each step. */
  learningRates: Float64Array;
  /** Validation losses and metrics. */
  evaluations: Pick<EvaluationEvent, 'step' | 'loss' | 'metrics'>[];
  /** Interventions of adaptive training. */
  interventions: Omit<InterventionEvent, 'type'>[];
}

/** The run has paused after this step, or continues after a pause. */
export interface PauseEvent {
  type: 'pause' | 'continue';
  step: number;
}

/** An epoch has ended. */
export interface EpochEvent {
  type: 'epoch';
  epoch: number;
  step: number;
  /** Mean training loss per target token of the epoch; null if none of its tokens carries a loss. */
  loss: number | null;
  metrics: ObjectiveMetrics;
}

/** Adaptive training: a decision of the controller has changed the run. It comes before the event of its step. */
export interface InterventionEvent {
  type: 'intervention';
  /** The step whose decision it was. */
  step: number;
  kind: 'learning-rate' | 'skip' | 'rescue' | 'accumulation' | 'extend' | 'stop';
  /** Why, in the words of the controller. */
  reason: string;
  /**
   * learning-rate: the factor of the schedule. rescue: the steps that the weights had done. accumulation: the batches of a
   * step. extend: the epochs of the run. stop: its steps. skip: null.
   */
  before: number | null;
  after: number | null;
}

/**
 * The metrics of one optimizer step, after its gradients were computed and before its update. Times are not among them, so
 * that the same seed gives the same decisions. A value that was not measured or is not finite is null.
 */
export interface StepMetrics {
  /** The step in progress, 1-based. */
  step: number;
  /** Optimizer steps of the run, if nothing changes. */
  totalSteps: number;
  /** 1-based. */
  epoch: number;
  /** Epochs of the run, with those it was extended by. */
  epochs: number;
  /** Mean loss per target token of this step, in nats, with the weights before its update. */
  loss: number | null;
  metrics: ObjectiveMetrics;
  /** Global L2 norm of the gradient of that loss, before clipping. */
  gradientNorm: number | null;
  /** The learning rate of this step: that of the schedule times `learningRateFactor`. */
  learningRate: number;
  learningRateFactor: number;
  /** Batches of `batchSize` samples in a step. */
  accumulation: number;
  /** Samples of this step. */
  samples: number;
  /** Non-padding tokens of this step. */
  tokens: number;
  /** Tokens of this step that carry a loss. */
  targetTokens: number;
  /** Gradient norm of the mean loss of one micro-batch of this step; null if the step has only one. */
  microBatchGradientNorm: number | null;
  /** Samples of that micro-batch. */
  microBatchSamples: number | null;
  /** The steps that the kept copy of weights and optimizer state has done; null: nothing is kept. */
  keptStep: number | null;
}

/** The engine asks for the decision about a step, and waits. */
export interface DecisionRequest extends StepMetrics {
  type: 'decide';
  /** The last evaluation; null before the first one. */
  evaluationStep: number | null;
  evaluationLoss: number | null;
  /** The state of the checkpoint, in the first request of a resumed run, otherwise null. */
  controllerState: string | null;
}

/** The decision about a step; see AdaptiveDecision for the fields. */
export interface NativeDecision {
  update: 'apply' | 'skip' | 'rescue';
  keep: boolean;
  learningRateFactor: number | undefined;
  accumulation: number | undefined;
  /** The whole schedule of a run that is extended. */
  learningRates: Float32Array | undefined;
  stop: boolean;
  reason: string;
  /** For checkpoints. */
  controllerState: string;
  /** Ends the run with this error. */
  failure: { code: string; message: string; hint: string } | undefined;
}

/** A problem that does not stop the run. */
export interface WarningEvent {
  type: 'warning';
  code: string;
  message: string;
}

/**
 * The result that the engine returns for a run. Its history is that of the whole run, including the steps before a resume; after
 * a resume with other validation data it has only the new evaluations.
 */
export interface TrainResult extends StepHistory {
  /** Optimizer steps of the whole run, including those before a resume. */
  steps: number;
  /** Loss of the last step. */
  finalLoss: number | null;
  /** Loss of the last evaluation; null without validation. */
  finalValidationLoss: number | null;
  /** The lowest validation loss; null without validation. With `validation.keepBest` it is that of the output. */
  bestValidationLoss: number | null;
  /** The step at which it was measured. */
  bestStep: number | null;
  /** Whether `validation.patience` or a decision of adaptive training ended the run before its last step. */
  stoppedEarly: boolean;
  /** Non-padding tokens of the whole run, including the steps before a resume. */
  tokens: number;
  /** Tokens among `tokens` that carried a loss. */
  targetTokens: number;
  /** Time of this call in the engine, without pauses. */
  seconds: number;
  /** Time for which this call was paused. */
  pausedSeconds: number;
  /** Non-padding tokens of the steps of this call, divided by `seconds`; null if it had no step left to do. */
  tokensPerSecond: number | null;
  trainableParameters: number;
  /** Peak resident memory of the process; null if it was not measured. */
  peakMemoryBytes: number | null;
  /** Memory of the frozen weights that were kept, see `weightCache`; 0 without. */
  weightCacheBytes: number;
  /** The experts that the tokens of the steps of this call used, with `expertStatistics`, otherwise null. */
  experts: ExpertCounts[] | null;
}
