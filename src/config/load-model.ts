import { z } from 'zod';
import { withCrossFieldRules } from './cross-field.js';
import { callback, path, placementProblems, placementShape, signal } from './fields.js';

const base = z.strictObject({
  model: path('The GGUF file.'),
  purpose: z
    .enum(['train', 'generate'])
    .default('train')
    .describe(
      "What the model is for. train: everything works. generate: weights in the CPU's packed layouts, faster inference, " +
        'but fine-tuning throws MODEL_NOT_TRAINABLE.',
    ),
  ...placementShape(),
  onProgress: callback<(fraction: number) => void>(
    'Called with 0..1 while the weights are read.',
  ).optional(),
  signal: signal(),
});

/** Options of `loadModel()`. */
export const loadModelSchema = withCrossFieldRules(base, placementProblems);

export type LoadModelOptions = z.input<typeof loadModelSchema>;
export type LoadModelConfig = z.output<typeof loadModelSchema>;

/** Where a model goes: the part of a configuration that every call that loads one has. */
export type PlacementConfig = Pick<
  LoadModelConfig,
  'device' | 'gpuLayers' | 'tensorSplit' | 'placement' | 'rpc'
>;

/** That part of a configuration. */
export function placementOf(config: PlacementConfig): PlacementConfig {
  const { device, gpuLayers, tensorSplit, placement, rpc } = config;
  return { device, gpuLayers, tensorSplit, placement, rpc };
}
