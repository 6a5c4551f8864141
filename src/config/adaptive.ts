import { z } from 'zod';
import type { AdaptiveController, DecideFunction } from '../adaptive/controller.js';
import type { ConfigProblem } from '../errors.js';
import type { FieldReader } from './cross-field.js';
import { inapplicableProblems, without } from './inapplicable.js';

const isController = (value: unknown): boolean =>
  typeof value === 'function' ||
  (typeof value === 'object' &&
    value !== null &&
    typeof (value as { decide?: unknown }).decide === 'function');

const controller = z
  .custom<AdaptiveController | DecideFunction>(isController)
  .meta({
    description:
      'Controller of your own: a function of the metrics of a step that returns a decision, or an object with decide(). Default: the built-in controller, with the options below.',
    typeText: 'function, or an object with decide()',
    cli: 'none',
  })
  .optional();

/** Limits of all decisions, whoever makes them. A decision outside of them is an error. */
const limits = z.strictObject({
  minFactor: z
    .number()
    .positive()
    .max(1)
    .default(1 / 64)
    .describe('Smallest factor of the learning rate.'),
  maxFactor: z.number().min(1).default(4).describe('Largest factor of the learning rate.'),
  maxAccumulation: z
    .int32()
    .min(1)
    .default(8)
    .describe('Most batches of batchSize samples in an optimizer step.'),
  maxEpochs: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Most epochs of a run that is extended. Default: what chinchillaAdvice() says for the parameters of the model and the tokens of the dataset (1 to 4), but at least epochs.',
    ),
});

const rescue = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Skip the updates of loss and gradient spikes, and return to the last good weights.'),
  threshold: z
    .number()
    .positive()
    .default(6)
    .describe(
      'A loss or gradient norm this many standard deviations of its noise above its mean is a spike.',
    ),
  rise: z
    .number()
    .positive()
    .default(0.25)
    .describe(
      'A mean loss of 4 steps that is higher than the lowest one by this fraction is a divergence, if it or the gradient norm is also higher by threshold standard deviations.',
    ),
  window: z
    .int32()
    .min(8)
    .max(1000)
    .default(32)
    .describe('Steps whose noise decides what a spike is.'),
  skips: z
    .int32()
    .min(0)
    .default(1)
    .describe('Loss spikes in a row that are only skipped, before a rescue.'),
  keepEvery: z
    .int32()
    .min(1)
    .default(4)
    .describe('Keep a copy of the weights and the optimizer state every N good steps.'),
  factor: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.5)
    .describe('A rescue multiplies the learning rate by this.'),
  retries: z
    .int32()
    .min(1)
    .default(6)
    .describe('Rescues to the same copy before the run stops with its weights.'),
});

const batch = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe('Raise the accumulation when the gradient noise scale is above the batch size.'),
  every: z
    .int32()
    .min(1)
    .default(10)
    .describe('Compare the noise scale with the batch size every N steps.'),
});

const minImprovement = () =>
  z
    .number()
    .min(0)
    .lt(1)
    .default(0.005)
    .describe('Fraction by which a validation loss must be lower to count as an improvement.');

const stop = z.strictObject({
  patience: z
    .int32()
    .min(0)
    .default(0)
    .describe('End the run after this many evaluations without an improvement (0 = never).'),
  minImprovement: minImprovement(),
});

const extend = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe(
      'At the last step, add an epoch if the last evaluation was an improvement, up to limits.maxEpochs.',
    ),
  minImprovement: minImprovement(),
});

/** Options of the built-in controller. */
const policies = {
  rescue: rescue.prefault({}).describe('Spikes, divergence and values that are not finite.'),
  growth: z
    .number()
    .min(1)
    .max(2)
    .default(1)
    .describe(
      'Multiply the learning rate by this whenever a copy is kept, up to limits.maxFactor (1 = off).',
    ),
  batch: batch.prefault({}).describe('Batch size by gradient noise scale.'),
  stop: stop.prefault({}).describe('Early stopping.'),
  extend: extend.prefault({}).describe('More epochs.'),
};
const POLICIES = Object.keys(policies) as (keyof typeof policies)[];

/** Adaptive training. */
export const adaptive = z
  .strictObject({
    controller,
    limits: limits.prefault({}).describe('Limits of all decisions.'),
    ...policies,
  })
  .transform((given) => without(given, given.controller === undefined ? [] : POLICIES));

/** Schema of the options of `builtInController()`. */
export const builtInSchema = z.strictObject(policies);
export type BuiltInInput = z.input<typeof builtInSchema>;
/** The same with their defaults. */
export type BuiltInOptions = z.output<typeof builtInSchema>;
export type AdaptiveConfig = z.output<typeof adaptive>;

/** Refuses options that would have no effect, and limits that contradict other options. */
export function adaptiveProblems(read: FieldReader): (ConfigProblem | undefined)[] {
  if (!read.given('adaptive')) return [];
  const [epochs, maxEpochs] = [read.number('epochs'), read.number('adaptive.limits.maxEpochs')];
  const evaluates = (read.number('validation.everySteps') ?? 0) > 0;
  const extends_ = read.value('adaptive.extend.enabled') === true;
  const stops = (read.number('adaptive.stop.patience') ?? 0) > 0;
  const needEvaluations = [
    ...(stops ? ['adaptive.stop.patience'] : []),
    ...(extends_ ? ['adaptive.extend.enabled'] : []),
  ];
  const ownController = typeof read.value('adaptive.controller') !== 'undefined';
  const withMaxSteps = (path: string) => ({
    path,
    message: `expected no ${path} with maxSteps ${read.value('maxSteps')} but received ${read.value(path)}`,
  });
  return [
    ...(ownController
      ? inapplicableProblems(read, 'adaptive.controller', 'adaptive', POLICIES)
      : []),
    ...(evaluates
      ? []
      : needEvaluations.map((path) => ({
          path,
          message: `expected validation.everySteps above 0 with ${path} but received ${read.number('validation.everySteps') ?? 'none'}`,
        }))),
    read.given('maxSteps') && extends_ ? withMaxSteps('adaptive.extend.enabled') : undefined,
    read.given('maxSteps') && maxEpochs !== undefined
      ? withMaxSteps('adaptive.limits.maxEpochs')
      : undefined,
    epochs !== undefined && maxEpochs !== undefined && maxEpochs < epochs
      ? {
          path: 'adaptive.limits.maxEpochs',
          message: `expected at least epochs (${epochs}) but received ${maxEpochs}`,
        }
      : undefined,
  ];
}
