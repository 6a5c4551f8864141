import { type MergeAdapterOptions, mergeAdapterSchema } from '../config/adapter-files.js';
import { parseConfig } from '../config/parse.js';
import { guardedCallback } from '../contract/guarded-callback.js';
import { nativeRun } from '../contract/load.js';
import type { MergeResult } from '../contract/model.js';
import { useFiles } from '../files/lock.js';
import { modelFile } from '../files/run-files.js';
import { addModelCard } from '../report/model-card.js';
import { useBaseModel } from './base-model.js';

/** The result of `mergeAdapter()`. */
export interface MergedModel extends MergeResult {
  /** The GGUF file. */
  output: string;
  /** The README.md next to it; null if there is one of another origin, or with `modelCard: false`. */
  modelCard: string | null;
  /** What went wrong after the model was complete: MODEL_CARD_NOT_WRITTEN. */
  warnings: { code: string; message: string }[];
}

/**
 * Writes the model with a LoRA adapter added to its weights: W + alpha / rank * B A. The result is an ordinary model that
 * needs no adapter. Weights are converted one by one, so the model may be larger than memory; a model in several files is
 * merged into one. Requantizing a quantized model loses more than quantizing the merged original would.
 *
 * @throws LlamatuneError CONFIG_INVALID, ADAPTER_MISMATCH, UNKNOWN_WEIGHT_TYPE, MERGE_UNSUPPORTED, OUTPUT_CONFLICT,
 * OUTPUT_IN_USE, OUTPUT_NOT_WRITABLE, ABORTED, and the errors of loading the model and the adapter.
 */
export async function mergeAdapter(options: MergeAdapterOptions): Promise<MergedModel> {
  const config = parseConfig(mergeAdapterSchema, options, 'mergeAdapter options');
  const { model, adapter, output, signal, onProgress } = config;
  const progress = guardedCallback('onProgress', onProgress);
  const outputs = [{ field: 'output', path: output, kind: 'file' }] as const;
  const inputs = [
    ...modelFile(model),
    { field: 'adapter', path: adapter, kind: 'adapter' } as const,
  ];
  return useFiles({ inputs, outputs }, () =>
    useBaseModel(model, signal, async (loaded) => {
      const { keptUpdate } = await nativeRun(signal, (addon) =>
        addon.mergeAdapter(loaded.native, config, (events) => {
          const last = events.at(-1);
          if (last !== undefined) progress(last.done / last.total);
        }),
      );
      if (!config.modelCard) return { output, keptUpdate, modelCard: null, warnings: [] };
      const { name, architecture } = loaded.info;
      const base = { path: loaded.path, name, architecture };
      const { type } = config;
      return {
        output,
        keptUpdate,
        ...addModelCard({ kind: 'merged', output, model: base, adapter, type }),
      };
    }),
  );
}
