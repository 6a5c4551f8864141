import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import type { TokenRow } from './dataset-row.js';
import {
  adapters,
  chatTemplate,
  dataset,
  flashAttention,
  isIterable,
  model,
  placementProblems,
  placementShape,
  signal,
  threads,
} from './fields.js';
import { needs } from './inapplicable.js';
import { loss, overlength, truncationSide } from './sample-fields.js';

/** Sequences of tokens to score. Iterables are read once, in order. */
export type ScoredSequences = Iterable<TokenRow> | AsyncIterable<TokenRow>;

const base = z.strictObject({
  model: model(),
  sequences: z
    .custom<ScoredSequences>((value) => typeof value !== 'string' && isIterable(value))
    .optional()
    .meta({
      typeText: 'iterable of { tokens, weights }',
      description:
        'Token sequences with the weight of each token: targets are the tokens with a weight above 0 (default: all but ' +
        'the first). Give either sequences or dataset.',
      cli: 'none',
    }),
  dataset: dataset(
    'Rows to score, with the chat template and the loss weights of training. Give either sequences or dataset.',
  ).optional(),
  loss: loss(),
  chatTemplate: chatTemplate(),
  adapters: adapters(),
  sequenceLength: z
    .int32()
    .min(2)
    .optional()
    .describe('Maximum length of a sequence, in tokens. Default: the context length of the model.'),
  overlength: overlength(),
  truncationSide: truncationSide(),
  perToken: z
    .boolean()
    .default(false)
    .describe('Give the log-probability of every target, not only their sum.'),
  flashAttention: flashAttention(),
  threads: threads(),
  ...placementShape(),
  signal: signal(),
});

/** Schema of the options of `score()`. */
export const scoreSchema = withCrossFieldRules(base, (read) => {
  const given = ['sequences', 'dataset'].filter((name) => read.value(name) !== undefined);
  return [
    ...placementProblems(read),
    ...needs(read, 'truncationSide', 'overlength', 'truncate'),
    given.length !== 1
      ? {
          path: 'sequences',
          message: `expected sequences or dataset but received ${given.length === 0 ? 'neither' : 'both'}`,
        }
      : undefined,
    ...['loss', 'chatTemplate']
      .filter((name) => read.value('sequences') !== undefined && read.given(name))
      .map((path) => ({
        path,
        message: 'expected this option only with dataset but received sequences',
      })),
  ];
});

/** Options of `score()`. Each option is documented in docs/configuration.md. */
export type ScoreOptions = z.input<typeof scoreSchema>;
/** The same with every default filled in. */
export type ScoreConfig = z.output<typeof scoreSchema>;
