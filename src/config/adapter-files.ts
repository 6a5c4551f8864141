import { z } from 'zod';
import { callback, model, modelCard, path, signal, threads } from './fields.js';

/** Schema of the options of `exportAdapter()`. */
export const exportAdapterSchema = z.strictObject({
  model: model(),
  adapter: path('LoRA adapter to read (GGUF).'),
  output: path('Folder to write adapter_model.safetensors and adapter_config.json to.'),
  modelClass: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Class of Transformers whose names are written, e.g. 'Gemma3ForConditionalGeneration'. Default: the first one of the architecture that has all weights of the adapter.",
    ),
  baseModel: z
    .string()
    .min(1)
    .optional()
    .describe('Base model on the Hugging Face Hub, or its folder, to record in the configuration.'),
  signal: signal(),
});

/** Schema of the options of `importAdapter()`. */
export const importAdapterSchema = z.strictObject({
  model: model(),
  adapter: path('Folder with the adapter of PEFT: adapter_model.safetensors, adapter_config.json.'),
  output: path('LoRA adapter to write (GGUF).'),
  signal: signal(),
});

/** Schema of the options of `mergeAdapter()`. */
export const mergeAdapterSchema = z.strictObject({
  model: model(),
  adapter: path('LoRA adapter (GGUF) that is added to the weights.'),
  output: path('GGUF file to write.'),
  type: z
    .string()
    .min(1)
    .default('same')
    .describe(
      "Type of the weight matrices: 'same' keeps the type of each; else a type of quantizeModel(), e.g. 'F16', 'Q8_0', 'Q4_K_M'.",
    ),
  modelCard: modelCard(),
  threads: threads(),
  onProgress: callback<(fraction: number) => void>(
    'Called with the fraction of the weights written so far, 0 to 1.',
  ).optional(),
  signal: signal(),
});

/** Options of `exportAdapter()`. Each option is documented in docs/configuration.md. */
export type ExportAdapterOptions = z.input<typeof exportAdapterSchema>;
/** Options of `importAdapter()`. Each option is documented in docs/configuration.md. */
export type ImportAdapterOptions = z.input<typeof importAdapterSchema>;
/** Options of `mergeAdapter()`. Each option is documented in docs/configuration.md. */
export type MergeAdapterOptions = z.input<typeof mergeAdapterSchema>;
/** The same with every default filled in. */
export type MergeAdapterConfig = z.output<typeof mergeAdapterSchema>;
