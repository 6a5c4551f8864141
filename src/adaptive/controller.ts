import type { StepMetrics } from '../contract/training.js';

/** What a controller sees of a step: its metrics, the last evaluation, and the limits of a decision. */
export interface AdaptiveMetrics extends StepMetrics {
  /** The last evaluation; null before the first one. */
  evaluation: { step: number; loss: number | null } | null;
  limits: AdaptiveLimits;
}

/** Limits of decisions: `adaptive.limits`, with the default of `maxEpochs`. */
export interface AdaptiveLimits {
  minFactor: number;
  maxFactor: number;
  maxAccumulation: number;
  maxEpochs: number;
}

/** What happens with a step and the rest of the run. Every field is optional; without one nothing changes. */
export interface AdaptiveDecision {
  /**
   * apply (default): update the weights with the gradients of the step. skip: do not. rescue: do not, and return to the kept
   * copy of weights and optimizer state; the data continues with the next batch.
   */
  update?: 'apply' | 'skip' | 'rescue' | undefined;
  /** Keep a copy of the weights and the optimizer state from before this step's update, instead of the one before. */
  keep?: boolean | undefined;
  /** Factor of the schedule's learning rate, from this step on. */
  learningRateFactor?: number | undefined;
  /** Batches of `batchSize` samples in a step, from the next step on. */
  accumulation?: number | undefined;
  /** Epochs of the run: at least as many as now. The schedule is that of a run with as many epochs. */
  epochs?: number | undefined;
  /** Make this the last step. */
  stop?: boolean | undefined;
  /** Why, in words. Required for anything but `keep`. */
  reason?: string | undefined;
}

/** A decision; undefined: nothing changes. The training waits for a promise. */
export type DecideFunction = (
  metrics: AdaptiveMetrics,
) => AdaptiveDecision | undefined | Promise<AdaptiveDecision | undefined>;

/** Makes the decisions of an adaptive run. */
export interface AdaptiveController {
  /** Called once per optimizer step; the training waits for the decision. */
  decide: DecideFunction;
  /** The state of the controller, for checkpoints: a value that JSON can hold. Called after each decision. */
  save?(): unknown;
  /** Takes a state that save() returned, before the first decision of a resumed run. */
  restore?(state: unknown): void;
}
