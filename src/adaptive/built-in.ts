import { type BuiltInInput, type BuiltInOptions, builtInSchema } from '../config/adaptive.js';
import { parseConfig } from '../config/parse.js';
import type { AdaptiveController, AdaptiveDecision, AdaptiveMetrics } from './controller.js';
import {
  addNoise,
  NO_NOISE,
  type NoiseAverage,
  noiseEstimates,
  noiseScale,
} from './noise-scale.js';
import {
  divergenceOf,
  LEVEL_STEPS,
  type LowestLevels,
  lossLimit,
  lowestLevels,
  normLimit,
  type Rise,
} from './spike.js';

/** A copy is kept only if the loss is at most this much above the lowest mean of some steps. */
const GOOD_LOSS = 1.05;

/** The steps that were applied: losses and gradient norms of the last ones, and the lowest levels of all. */
interface Past {
  losses: readonly number[];
  norms: readonly number[];
  lowest: LowestLevels;
}

/** What the built-in controller knows about the run, as plain values. */
export interface BuiltInState {
  past: Past;
  /** `past` when the copy was kept; a rescue returns to it. */
  kept: Past;
  stepsSinceKept: number;
  /** Rescues to this copy. */
  rescues: number;
  /** Spikes in a row, the last steps. */
  spikes: number;
  noise: NoiseAverage;
  evaluation: {
    step: number;
    best: number;
    withoutImprovement: number;
    /** 1 - loss / best before it; null for the first one. */
    improvement: number | null;
  } | null;
}

const withoutNorms = (past: Past): Past => ({
  ...past,
  norms: [],
  lowest: { ...past.lowest, logNorm: null },
});

/** The past with a step more in its window. */
const withStep = (past: Past, loss: number, norm: number, window: number): Past => ({
  losses: [...past.losses, loss].slice(-window),
  norms: [...past.norms, norm].slice(-window),
  lowest: past.lowest,
});

const NO_PAST: Past = { losses: [], norms: [], lowest: { loss: null, logNorm: null } };

export const INITIAL_STATE: BuiltInState = {
  past: NO_PAST,
  kept: NO_PAST,
  stepsSinceKept: 0,
  rescues: 0,
  spikes: 0,
  noise: NO_NOISE,
  evaluation: null,
};

interface Outcome {
  state: BuiltInState;
  decision: AdaptiveDecision;
}

/** The built-in controller, as a pure function of its state and the metrics of a step. */
export function decideBuiltIn(
  state: BuiltInState,
  metrics: AdaptiveMetrics,
  options: BuiltInOptions,
): Outcome {
  if (metrics.targetTokens === 0) return { state, decision: {} };
  const problem = options.rescue.enabled ? problemOf(state, metrics, options) : undefined;
  if (problem !== undefined) return reactionTo(problem, state, metrics, options);
  const { loss, gradientNorm } = metrics;
  // The engine does not apply a step that is not finite.
  if (loss === null || gradientNorm === null) return { state, decision: {} };
  const accepted = accept(state, { loss, gradientNorm }, options);
  return combine(accepted, [keep, grow, raiseBatch, evaluate], metrics, options);
}

/**
 * The built-in controller, to be used by another one.
 *
 * @param given its options, those of `adaptive` without `controller` and `limits`
 * @throws LlamatuneError CONFIG_INVALID
 */
export function builtInController(given: BuiltInInput = {}): AdaptiveController {
  const options = parseConfig(builtInSchema, given, 'options of the built-in controller');
  let state = INITIAL_STATE;
  return {
    decide(metrics) {
      const outcome = decideBuiltIn(state, metrics, options);
      state = outcome.state;
      return outcome.decision;
    },
    save: () => state,
    restore(saved) {
      state = saved as BuiltInState;
    },
  };
}

interface Problem {
  reason: string;
  /** damaged: the weights are bad, not just this step's samples. harmless: they are not. */
  weights: 'damaged' | 'unknown' | 'harmless';
}

function problemOf(
  { past }: BuiltInState,
  { loss, gradientNorm }: AdaptiveMetrics,
  { rescue }: BuiltInOptions,
): Problem | undefined {
  if (!isMeasured(loss) || !isMeasured(gradientNorm)) {
    return { reason: 'the loss or the gradient is not finite', weights: 'damaged' };
  }
  const limit = lossLimit(past.losses, rescue.threshold);
  if (loss > limit) {
    return { reason: `loss ${text(loss)} is above the limit ${text(limit)}`, weights: 'unknown' };
  }
  const divergence = divergenceOf(withStep(past, loss, gradientNorm, rescue.window), rescue);
  if (divergence !== undefined) return { reason: textOf(divergence), weights: 'damaged' };
  const largestNorm = normLimit(past.norms, rescue.threshold);
  if (gradientNorm > largestNorm) {
    const reason = `gradient norm ${text(gradientNorm)} is above the limit ${text(largestNorm)}`;
    return { reason, weights: 'harmless' };
  }
  return undefined;
}

function textOf({ loss, norm }: { loss: Rise; norm: Rise | undefined }): string {
  const rise = ({ from, to }: Rise) => `from ${text(from)} to ${text(to)}`;
  const ofNorm = norm === undefined ? '' : `, and that of the gradient norm ${rise(norm)}`;
  return `the mean loss of ${LEVEL_STEPS} steps has risen ${rise(loss)}${ofNorm}`;
}

/** Skips a step that may only have unusual samples; a rescue needs a copy, which the first step keeps. */
function reactionTo(
  { reason, weights }: Problem,
  state: BuiltInState,
  metrics: AdaptiveMetrics,
  options: BuiltInOptions,
): Outcome {
  const { rescue } = options;
  const spikes = state.spikes + 1;
  if (weights === 'harmless' && spikes > Math.max(1, rescue.skips)) {
    // Several in a row with a usual loss are not outliers: the norm has changed.
    return { state: { ...state, spikes: 0, past: withoutNorms(state.past) }, decision: {} };
  }
  const isDamaged = weights === 'damaged' || (weights === 'unknown' && spikes > rescue.skips);
  if (!isDamaged || metrics.keptStep === null) {
    return { state: { ...state, spikes }, decision: { update: 'skip', reason } };
  }
  const rescues = state.rescues + 1;
  const factor = Math.max(metrics.limits.minFactor, metrics.learningRateFactor * rescue.factor);
  return {
    state: { ...state, past: state.kept, stepsSinceKept: 0, spikes: 0, rescues },
    decision: {
      update: 'rescue',
      learningRateFactor: factor,
      reason,
      ...(rescues > rescue.retries ? { stop: true } : {}),
    },
  };
}

function accept(
  state: BuiltInState,
  { loss, gradientNorm }: { loss: number; gradientNorm: number },
  { rescue }: BuiltInOptions,
): BuiltInState {
  const { losses, norms, lowest } = withStep(state.past, loss, gradientNorm, rescue.window);
  const past = { losses, norms, lowest: lowestLevels(lowest, losses, norms) };
  return { ...state, past, spikes: 0, stepsSinceKept: state.stepsSinceKept + 1 };
}

type Policy = (state: BuiltInState, metrics: AdaptiveMetrics, options: BuiltInOptions) => Outcome;

/** Runs policies one after the other. Later ones see the factor of the earlier ones, and reasons are joined. */
function combine(
  state: BuiltInState,
  policies: readonly Policy[],
  metrics: AdaptiveMetrics,
  options: BuiltInOptions,
): Outcome {
  let current: Outcome = { state, decision: {} };
  for (const policy of policies) {
    const { learningRateFactor = metrics.learningRateFactor, reason = '' } = current.decision;
    const next = policy(current.state, { ...metrics, learningRateFactor }, options);
    const reasons = [reason, next.decision.reason ?? ''].filter((each) => each !== '');
    const decision = { ...current.decision, ...next.decision };
    current = {
      state: next.state,
      decision: reasons.length > 0 ? { ...decision, reason: reasons.join('; ') } : decision,
    };
  }
  return current;
}

/** Keeps a copy at the first step and then every N steps, when the loss is near its lowest. */
const keep: Policy = (state, { keptStep, loss }, { rescue }) => {
  const lowest = state.past.lowest.loss?.level ?? Number.POSITIVE_INFINITY;
  const isGood = (loss as number) <= GOOD_LOSS * lowest;
  const isDue = keptStep === null || (isGood && state.stepsSinceKept >= rescue.keepEvery);
  if (!rescue.enabled || !isDue) return { state, decision: {} };
  return {
    state: { ...state, kept: state.past, stepsSinceKept: 0, rescues: 0 },
    decision: { keep: true },
  };
};

/** "Bold driver" without its decrease, which a rescue makes. */
const grow: Policy = (state, { step, learningRateFactor, limits }, { growth, rescue }) => {
  const isDue = rescue.enabled
    ? state.stepsSinceKept === 0 && step > 1
    : step % rescue.keepEvery === 0;
  const factor = Math.min(limits.maxFactor, learningRateFactor * growth);
  if (growth === 1 || !isDue || factor <= learningRateFactor) return { state, decision: {} };
  return {
    state,
    decision: { learningRateFactor: factor, reason: 'the loss is near its lowest' },
  };
};

/** Raises the accumulation towards the gradient noise scale, at most to the double at once. */
const raiseBatch: Policy = (before, metrics, { batch }) => {
  const { microBatchGradientNorm, microBatchSamples, gradientNorm, samples } = metrics;
  if (!batch.enabled || microBatchGradientNorm === null || microBatchSamples === null) {
    return { state: before, decision: {} };
  }
  const small = { norm: microBatchGradientNorm, samples: microBatchSamples };
  const estimates = noiseEstimates(small, { norm: gradientNorm as number, samples });
  const state = { ...before, noise: addNoise(before.noise, estimates) };
  const scale = noiseScale(state.noise);
  const { accumulation, learningRateFactor, limits } = metrics;
  if (scale === null || state.noise.count % batch.every !== 0) return { state, decision: {} };
  const batchSize = Math.ceil(samples / accumulation);
  const wanted = Math.min(limits.maxAccumulation, 2 * accumulation, Math.floor(scale / batchSize));
  if (wanted <= accumulation) return { state, decision: {} };
  // Adam's learning rate grows with the square root of the batch size (Malladi et al. 2022, arXiv 2205.10287).
  const factor = Math.min(limits.maxFactor, learningRateFactor * Math.sqrt(wanted / accumulation));
  return {
    state,
    decision: {
      accumulation: wanted,
      learningRateFactor: factor,
      reason: `the gradient noise scale is ${text(scale)} samples, and a step has ${samples}`,
    },
  };
};

/** Stops, or extends the run at its last step, by the validation loss. */
const evaluate: Policy = (before, metrics, { stop, extend }) => {
  const state = { ...before, evaluation: evaluationAfter(before.evaluation, metrics, stop) };
  const { evaluation } = state;
  if (evaluation === null) return { state, decision: {} };
  if (stop.patience > 0 && evaluation.withoutImprovement >= stop.patience) {
    const reason = `${evaluation.withoutImprovement} evaluations without an improvement`;
    return { state, decision: { stop: true, reason } };
  }
  const improved =
    evaluation.improvement !== null && evaluation.improvement > extend.minImprovement;
  const { step, totalSteps, epochs, limits } = metrics;
  if (!extend.enabled || step < totalSteps || epochs >= limits.maxEpochs || !improved) {
    return { state, decision: {} };
  }
  const percent = (100 * (evaluation.improvement as number)).toFixed(1);
  const reason = `the last evaluation was better by ${percent} %`;
  return { state, decision: { epochs: epochs + 1, reason } };
};

function evaluationAfter(
  before: BuiltInState['evaluation'],
  { evaluation }: AdaptiveMetrics,
  { minImprovement }: BuiltInOptions['stop'],
): BuiltInState['evaluation'] {
  if (evaluation === null || evaluation.loss === null || evaluation.step === before?.step) {
    return before;
  }
  const { step, loss } = evaluation;
  if (before === null) return { step, best: loss, withoutImprovement: 0, improvement: null };
  const improvement = 1 - loss / before.best;
  return {
    step,
    best: Math.min(loss, before.best),
    withoutImprovement: improvement > minImprovement ? 0 : before.withoutImprovement + 1,
    improvement,
  };
}

const isMeasured = (value: number | null): value is number => Number.isFinite(value);
const text = (value: number): string => String(Number(value.toPrecision(4)));
