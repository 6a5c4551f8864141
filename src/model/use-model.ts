import type { ModelHandle } from '../config/fields.js';
import { LlamatuneError } from '../errors.js';
import { LoadedModel, type OpenOptions, openModel } from './loaded-model.js';

/**
 * Calls `use` with the model of a config. A model that the caller loaded stays loaded; a file is loaded for this call and
 * always disposed afterwards.
 */
export async function useModel<T>(
  model: string | ModelHandle,
  load: Omit<OpenOptions, 'model'> & { writable?: boolean; vocabularyOnly?: boolean },
  use: (model: LoadedModel) => Promise<T>,
): Promise<T> {
  const { writable = false, vocabularyOnly = false, ...options } = load;
  if (typeof model !== 'string') {
    const given = asLoadedModel(model);
    if (options.purpose === 'train') checkTrainable(given, writable);
    return use(given);
  }
  const loaded = await openModel({ ...options, model }, !writable, vocabularyOnly);
  try {
    return await use(loaded);
  } finally {
    await loaded.dispose();
  }
}

/** How calls that only tokenize load a file: without its weights. */
export const vocabularyOf = (signal: AbortSignal | undefined) =>
  ({
    ...{ device: 'cpu', gpuLayers: 0, placement: {}, rpc: [] },
    vocabularyOnly: true,
    signal,
  }) as const satisfies Omit<OpenOptions, 'model'> & { vocabularyOnly: boolean };

function asLoadedModel(model: ModelHandle): LoadedModel {
  if (model instanceof LoadedModel) {
    model.native; // throws DISPOSED
    return model;
  }
  throw new LlamatuneError('CONFIG_INVALID', 'expected a model that loadModel() returned', {
    problems: [{ path: 'model', message: 'expected a path or what loadModel() returned' }],
    hint: 'pass a path, or the result of await loadModel(path)',
  });
}

function checkTrainable(model: LoadedModel, writable: boolean): void {
  if (!model.trainable) {
    throw new LlamatuneError(
      'MODEL_NOT_TRAINABLE',
      `cannot train ${model.path}: it was loaded with purpose 'generate'`,
      { hint: "load it with purpose 'train', or pass its path" },
    );
  }
  if (writable && !model.writable) {
    throw new LlamatuneError(
      'MODEL_NOT_TRAINABLE',
      `cannot train all parameters of ${model.path}: its weights are memory-mapped and cannot be changed`,
      {
        hint: "pass the path of the model: mode 'full' changes the weights, so it loads a separate copy",
      },
    );
  }
}
