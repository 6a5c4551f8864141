import { statSync } from 'node:fs';
import type { CallFiles, InputFile, OutputFile } from './check.js';
import { datasetFiles } from './dataset-files.js';
import { logOfOutput, shardsOf } from './names.js';

/** The fields of a fine-tuning configuration that name files. */
export interface RunConfig {
  model?: string | { path: string };
  dataset?: unknown;
  validation?: { dataset?: unknown } | undefined;
  lora?: { initAdapter?: string | undefined };
  checkpoint?: { directory: string; resume?: { from: string } | undefined } | undefined;
  output?: string;
  /** Undefined: next to the output. */
  runLog?: string | false | undefined;
}

/** Every file and folder that a fine-tuning run reads or writes. */
export function filesOfRun(config: RunConfig): CallFiles {
  const { model, dataset, validation, lora, checkpoint, output } = config;
  const log = runLogOf(config);
  return {
    inputs: [
      ...modelFile(model),
      ...datasetInputs('dataset', dataset),
      ...datasetInputs('validation.dataset', validation?.dataset),
      ...inputFile('lora.initAdapter', lora?.initAdapter, 'adapter'),
      ...checkpointFile(checkpoint?.resume?.from),
    ],
    outputs: [
      ...(output === undefined ? [] : [{ field: 'output', path: output, kind: 'file' } as const]),
      ...(checkpoint === undefined
        ? []
        : [{ field: 'checkpoint.directory', path: checkpoint.directory, kind: 'folder' } as const]),
      ...(log === null ? [] : [logFile(log, config.runLog === undefined)]),
    ],
  };
}

const logFile = (path: string, optional: boolean): OutputFile => ({
  ...{ field: 'runLog', path, kind: 'log' },
  ...(optional ? { optional } : {}),
});

/** The path of the run log; null if there is none. */
export function runLogOf({ output, runLog }: RunConfig): string | null {
  if (runLog !== undefined) return runLog === false ? null : runLog;
  return output === undefined ? null : logOfOutput(output);
}

/** The file of a model that is given as a path or loaded. */
export function modelFile(model: RunConfig['model']): InputFile[] {
  if (model === undefined || typeof model === 'string') return inputFile('model', model, 'model');
  return [{ field: 'model', path: model.path, kind: 'model', compareOnly: true }];
}

/** The size of a model's file, or of all its files; a file that is missing counts 0, because loading the model names it. */
export const bytesOfModel = (path: string): number =>
  shardsOf(path).reduce(
    (total, shard) => total + (statSync(shard, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );

/** Empty for checkpoints of the run's own folder. */
function checkpointFile(from: string | undefined): InputFile[] {
  if (from === undefined || from === 'latest' || from === 'auto') return [];
  return inputFile('checkpoint.resume', from, 'checkpoint');
}

/** Empty for rows from memory. */
const datasetInputs = (field: string, dataset: unknown): InputFile[] =>
  datasetFiles(dataset).map(({ path }) => ({ field, path, kind: 'dataset' }));

function inputFile(field: string, path: unknown, kind: InputFile['kind']): InputFile[] {
  return typeof path === 'string' ? [{ field, path, kind }] : [];
}
