import { z } from 'zod';
import type { ConfigProblem } from '../errors.js';
import type { FieldReader } from './cross-field.js';
import { path } from './fields.js';

/** Default of `everySteps` if nothing else says when to write checkpoints. */
const EVERY_STEPS = 100;

/** A year. The clock of the training counts nanoseconds, of which 64 bits hold less than 300 years. */
const LONGEST_MINUTES = 365 * 24 * 60;

/** Options that decide what a step computes; a resumed run can continue with other values of them. */
const RESUMABLE =
  /^(model|dataset|sequenceLength|shuffle|seed|epochs|maxSteps|loss|loadBalanceLoss|chatTemplate|overlength|truncationSide|(optimizer|scheduler|objective|lora|adaptive)\..+)$/;
/** Options that match, but decide what the tensors of a checkpoint are, so that no run continues with other values. */
const FIXED: readonly string[] = [
  'optimizer.type',
  ...['lora.rank', 'lora.targets', 'lora.init', 'lora.initAdapter'],
];

/** The options of these that `checkpoint.resume.allow` may name, and the validation data. */
export const resumable = (options: readonly string[]): string[] => [
  ...options.filter((option) => RESUMABLE.test(option) && !FIXED.includes(option)),
  'validation',
];

/** The options that a name stands for: itself, the end of a name ('learningRate') or a group ('optimizer'). */
const optionsNamed = (name: string, options: readonly string[]): string[] =>
  resumable(options).filter(
    (option) => option === name || option.endsWith(`.${name}`) || option.startsWith(`${name}.`),
  );

const resumeFrom = z.union([
  z.literal(['latest', 'auto']),
  path("'latest', 'auto', or the path of a checkpoint or of a folder with checkpoints."),
]);

/** @param options paths of all options of the run */
const resume = (options: () => readonly string[]) => {
  const allowed = z.string().refine((name) => optionsNamed(name, options()).length > 0, {
    error: ({ input }) =>
      `expected an option that a resumed run can change (${resumable(options()).join(', ')}) but received '${input}'`,
  });
  const fields = z.strictObject({
    from: resumeFrom.default('latest'),
    allow: z
      .array(allowed)
      .default([])
      .transform((names) => [...new Set(names.flatMap((name) => optionsNamed(name, options())))]),
  });
  return z
    .union([
      z.literal(false).transform(() => undefined),
      resumeFrom.transform((from) => ({ from, allow: [] as string[] })),
      fields,
    ])
    .optional()
    .meta({
      typeText: "'latest' | 'auto' | path | { from, allow }",
      cli: 'path',
      description:
        "Resume from a checkpoint. latest: the run's newest one in the directory. auto: the same, or start from the " +
        'beginning if there is none. Or the path of a checkpoint, or of a folder with checkpoints. `allow` names options ' +
        'that may differ from those of the run that wrote it. Default: start a new run.',
    });
};

/**
 * Checkpoints during training.
 *
 * @param options paths of all options of the run
 */
export const checkpoint = (options: () => readonly string[]) =>
  z
    .strictObject({
      directory: path('Folder for checkpoints. An aborted run also writes one there.'),
      everySteps: z
        .int32()
        .min(0)
        .optional()
        .meta({ default: EVERY_STEPS })
        .describe(
          'Write a checkpoint every N optimizer steps (0 = never). With everyMinutes or everyEpoch the default is 0.',
        ),
      everyMinutes: z
        .number()
        .positive()
        .max(LONGEST_MINUTES)
        .optional()
        .describe(
          'Write a checkpoint when this many minutes have passed since the last one. Default: never.',
        ),
      everyEpoch: z
        .boolean()
        .default(false)
        .describe('Write a checkpoint at the end of each epoch.'),
      keepLast: z
        .union([z.literal('all'), z.int32().min(1)])
        .default(3)
        .describe('How many checkpoints of the run to keep; older ones are removed.'),
      keepBest: z
        .boolean()
        .default(false)
        .describe(
          'Write a checkpoint at each evaluation with a new lowest validation loss, and keep the last of these in addition.',
        ),
      resume: resume(options),
    })
    .transform((given) => ({
      ...given,
      everySteps:
        given.everySteps ??
        (given.everyMinutes === undefined && !given.everyEpoch ? EVERY_STEPS : 0),
    }));

/** Options of validation that need evaluations during the run. */
export const validationChoices = {
  patience: z
    .int32()
    .min(1)
    .optional()
    .describe(
      'Early stopping: end the run after this many evaluations in a row without a new lowest validation loss. Needs ' +
        'everySteps. Default: never.',
    ),
  keepBest: z
    .boolean()
    .default(false)
    .describe(
      'Write the output with the weights of the evaluation with the lowest validation loss, instead of the last ones. Needs ' +
        'everySteps, and memory for a copy of the trained weights.',
    ),
};

/** Refuses options about the best evaluation that would have no effect. */
export function checkpointProblems(read: FieldReader): ConfigProblem[] {
  const evaluates = (read.number('validation.everySteps') ?? 0) > 0;
  const needEvaluations = ['validation.patience', 'validation.keepBest', 'checkpoint.keepBest'];
  if (evaluates) return [];
  return needEvaluations
    .filter((name) => read.given(name) && read.value(name) !== false)
    .map((name) => ({
      path: name,
      message: `expected validation.everySteps above 0 with ${name} but received ${read.number('validation.everySteps') ?? 'none'}`,
    }));
}
