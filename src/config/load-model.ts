import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import { callback, path, placementProblems, placementShape, signal } from './fields.js';

const base = z.strictObject({
  model: path('GGUF file to load.'),
  purpose: z
    .enum(['train', 'generate'])
    .default('train')
    .describe(
      'What the model will be used for. train: training, generation and benchmarks. generate: inference only, faster on ' +
        'the CPU because weights are repacked; fine-tuning then throws MODEL_NOT_TRAINABLE.',
    ),
  ...placementShape(),
  onProgress: callback<(fraction: number) => void>(
    'Called with the fraction of the weights read so far, 0 to 1.',
  ).optional(),
  signal: signal(),
});

/** Schema of the options of `loadModel()`. */
export const loadModelSchema = withCrossFieldRules(base, placementProblems);

/** Options of `loadModel()`. Each option is documented in docs/configuration.md. */
export type LoadModelOptions = z.input<typeof loadModelSchema>;
/** The same with every default filled in. */
export type LoadModelConfig = z.output<typeof loadModelSchema>;
