import { basename } from 'node:path';
import type { FinetuneConfig } from '../config/finetune.js';
import { datasetFiles, namesFiles } from '../files/dataset-files.js';

/** The configuration in a run log: what JSON can hold, from which the run can be repeated. Rows from memory are left out. */
export function recordedConfig(config: FinetuneConfig): Record<string, unknown> {
  const { dataset, validation, adaptive, signal, onEvent, ...rest } = config;
  return {
    ...rest,
    model: typeof config.model === 'string' ? config.model : config.model.path,
    ...(namesFiles(dataset) ? { dataset } : {}),
    ...(adaptive === undefined ? {} : { adaptive: recordedAdaptive(adaptive) }),
    ...(validation === undefined ? {} : { validation: recordedValidation(validation) }),
  };
}

/** A controller is code: the word in its place makes a repetition without it an error. */
function recordedAdaptive(adaptive: NonNullable<FinetuneConfig['adaptive']>) {
  return adaptive.controller === undefined ? adaptive : { ...adaptive, controller: 'given' };
}

function recordedValidation({ dataset, ...rest }: NonNullable<FinetuneConfig['validation']>) {
  return namesFiles(dataset) ? { ...rest, dataset } : rest;
}

/** The configuration in a model card: without what only this call has, and with the names of files instead of paths. */
export function publishedConfig(config: FinetuneConfig, model: string): Record<string, unknown> {
  const { checkpoint, modelCard, runLog, tensorboard, rpc, ...recorded } = recordedConfig(
    config,
  ) as Partial<FinetuneConfig>;
  const { validation } = recorded;
  return {
    ...recorded,
    model: basename(model),
    ...fileNames(recorded),
    ...(validation === undefined
      ? {}
      : { validation: { ...validation, ...fileNames(validation) } }),
  };
}

function fileNames({ dataset }: { dataset?: unknown }): { dataset?: string[] } {
  const files = datasetFiles(dataset);
  return files.length === 0 ? {} : { dataset: files.map(({ path }) => basename(path)) };
}
