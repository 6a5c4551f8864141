import type { ModelHandle, PlacementConfig } from '../config/fields.js';
import type { ModelInfo } from '../contract/model.js';
import type { LoadedModel } from '../model/loaded-model.js';
import { useModel } from '../model/use-model.js';
import type { BaseModel } from './to-peft.js';

/** Calls `use` with the model. A file is loaded on the CPU, memory-mapped. */
export function useBaseModel<T>(
  model: string | ModelHandle,
  signal: AbortSignal | undefined,
  use: (model: LoadedModel) => Promise<T>,
): Promise<T> {
  const onCpu: PlacementConfig = { device: 'cpu', gpuLayers: 'all', placement: {}, rpc: [] };
  return useModel(model, { ...onCpu, signal }, use);
}

/** What the conversion of names and values needs of a model. */
export function baseModelOf({ architecture, metadata, tensors }: ModelInfo): BaseModel {
  const numberOf = (key: string) => {
    const number = Number(metadata[`${architecture}.${key}`]);
    return Number.isInteger(number) && number > 0 ? number : undefined;
  };
  const head_count = numberOf('attention.head_count');
  const keys = numberOf('ssm.group_count');
  const values = numberOf('ssm.time_step_rank');
  const valueWidth = numberOf('ssm.inner_size');
  return {
    architecture,
    heads: {
      head_count,
      head_count_kv: numberOf('attention.head_count_kv') ?? head_count,
      linear: keys && values && valueWidth ? { keys, values, valueWidth } : undefined,
    },
    shapes: new Map(tensors.map(({ name, shape }) => [name, shape])),
  };
}
