import { z } from 'zod';
import type { AdaptiveConfig } from '../config/adaptive.js';
import { problemsOf } from '../config/parse.js';
import type { DecisionRequest, NativeDecision } from '../contract/training.js';
import { type ConfigProblem, LlamatuneError, reasonOf } from '../errors.js';
import { builtInController } from './built-in.js';
import type {
  AdaptiveController,
  AdaptiveDecision,
  AdaptiveLimits,
  AdaptiveMetrics,
} from './controller.js';

/** Asks the controller of a run for decisions, checks them, and translates them for the engine. */
export class DecisionMaker {
  readonly #controller: AdaptiveController;
  readonly #limits: AdaptiveLimits;
  readonly #schedule: (epochs: number) => Float32Array;
  #failure: LlamatuneError | undefined;

  /** @param schedule the learning rates of a run of this many epochs */
  constructor(
    config: AdaptiveConfig,
    limits: AdaptiveLimits,
    schedule: (epochs: number) => Float32Array,
  ) {
    const { controller, limits: _, ...policies } = config;
    if (controller === undefined) this.#controller = builtInController(policies);
    else this.#controller = typeof controller === 'function' ? { decide: controller } : controller;
    this.#limits = limits;
    this.#schedule = schedule;
  }

  /** The decision about a step. Never rejects: a failure is a decision too, and ends the training. */
  async decide(request: DecisionRequest): Promise<NativeDecision> {
    try {
      return await this.#decide(request);
    } catch (cause) {
      this.#failure = failureOf(cause, request.step);
      const { code, message, hint } = this.#failure;
      return { ...UNCHANGED, failure: { code, message, hint } };
    }
  }

  /** The error of the training: if the controller ended it, with what the controller threw. */
  explain(error: unknown): unknown {
    const failure = this.#failure;
    if (!(error instanceof LlamatuneError) || error.code !== failure?.code) return error;
    const { problems, cause } = failure;
    const { code, message, hint } = error;
    return new LlamatuneError(code, message, { hint, problems, cause });
  }

  async #decide(request: DecisionRequest): Promise<NativeDecision> {
    this.#restore(request.controllerState);
    const metrics = metricsOf(request, this.#limits);
    const given = (await this.#controller.decide(metrics)) ?? {};
    const decision = checked(given, metrics);
    const { update = 'apply', keep = false, stop = false, reason = '' } = decision;
    const { learningRateFactor, accumulation, epochs = metrics.epochs } = decision;
    return {
      ...{ update, keep, stop, reason, learningRateFactor, accumulation },
      learningRates: epochs > metrics.epochs ? this.#schedule(epochs) : undefined,
      controllerState: JSON.stringify(this.#controller.save?.()) ?? '',
      failure: undefined,
    };
  }

  #restore(state: string | null): void {
    if (state === null || state === '') return;
    if (this.#controller.restore === undefined) {
      throw new Error('the checkpoint has a state of the controller, and it has no restore()');
    }
    this.#controller.restore(JSON.parse(state));
  }
}

const UNCHANGED: NativeDecision = {
  update: 'apply',
  keep: false,
  stop: false,
  reason: '',
  learningRateFactor: undefined,
  accumulation: undefined,
  learningRates: undefined,
  controllerState: '',
  failure: undefined,
};

function metricsOf(request: DecisionRequest, limits: AdaptiveLimits): AdaptiveMetrics {
  const { type: _, evaluationStep, evaluationLoss, controllerState: __, ...rest } = request;
  return {
    ...rest,
    evaluation: evaluationStep === null ? null : { step: evaluationStep, loss: evaluationLoss },
    limits: { ...limits },
  };
}

/** The schema of a decision at a step. */
function decisionSchema({ limits, epochs }: AdaptiveMetrics) {
  return z.strictObject({
    update: z.enum(['apply', 'skip', 'rescue']).optional(),
    keep: z.boolean().optional(),
    learningRateFactor: z.number().min(limits.minFactor).max(limits.maxFactor).optional(),
    accumulation: z.int32().min(1).max(limits.maxAccumulation).optional(),
    epochs: z.int32().min(epochs).max(Math.max(epochs, limits.maxEpochs)).optional(),
    stop: z.boolean().optional(),
    reason: z.string().optional(),
  });
}

/** @throws LlamatuneError ADAPTIVE_DECISION_INVALID with all problems of the decision */
function checked(given: AdaptiveDecision, metrics: AdaptiveMetrics): AdaptiveDecision {
  const schema = decisionSchema(metrics);
  const parsed = schema.safeParse(given, { reportInput: true });
  const problems = parsed.success
    ? contradictions(given, metrics)
    : parsed.error.issues.flatMap((issue) => problemsOf(issue, schema));
  if (parsed.success && problems.length === 0) return given;
  const list = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  throw new LlamatuneError(
    'ADAPTIVE_DECISION_INVALID',
    `invalid decision of the controller at step ${metrics.step}: ${list.join('; ')}`,
    {
      hint: 'correct the controller; docs/adaptive.md lists the fields and their limits',
      problems,
    },
  );
}

function contradictions(decision: AdaptiveDecision, metrics: AdaptiveMetrics): ConfigProblem[] {
  const { update = 'apply', keep, reason = '', stop } = decision;
  const { learningRateFactor = metrics.learningRateFactor } = decision;
  const { accumulation = metrics.accumulation, epochs = metrics.epochs } = decision;
  const changes =
    update !== 'apply' ||
    stop === true ||
    learningRateFactor !== metrics.learningRateFactor ||
    accumulation !== metrics.accumulation ||
    epochs !== metrics.epochs;
  const problems = [
    update === 'rescue' && metrics.keptStep === null
      ? { path: 'update', message: "expected 'rescue' only after a decision with keep" }
      : undefined,
    update === 'rescue' && keep === true
      ? { path: 'keep', message: "expected no keep with update 'rescue' but received true" }
      : undefined,
    changes && reason === ''
      ? { path: 'reason', message: 'expected the reason of the decision but received nothing' }
      : undefined,
  ];
  return problems.filter((problem) => problem !== undefined);
}

function failureOf(cause: unknown, step: number): LlamatuneError {
  if (cause instanceof LlamatuneError && cause.code === 'ADAPTIVE_DECISION_INVALID') return cause;
  return new LlamatuneError(
    'ADAPTIVE_CONTROLLER_FAILED',
    `the controller failed at step ${step}: ${reasonOf(cause)}`,
    { hint: 'correct the controller', cause },
  );
}
