import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { LlamatuneError } from '../errors.js';
import { conflictOf, type KnownFile } from './conflict.js';
import { makeFolder, nearestExisting, removeEmptyFolders } from './folders.js';
import { endOfLinks, identify } from './identity.js';
import { shardsOf } from './names.js';

/** A file that a call reads. */
export interface InputFile {
  /** The option that names it. */
  field: string;
  path: string;
  kind: 'model' | 'dataset' | 'samples' | 'adapter' | 'checkpoint' | 'config';
  /** Only compare it with the outputs, because it is already open or is checked elsewhere. */
  compareOnly?: boolean;
}

/** A file or folder that a call writes. */
export interface OutputFile {
  /** The option that names it. */
  field: string;
  path: string;
  /** 'file': replaced as a whole. 'log': written line by line. 'folder': checkpoints are written into it. */
  kind: 'file' | 'log' | 'folder';
  /** Only compare it with the other files, because the call that writes it checks it. */
  compareOnly?: boolean;
  /** The call can do without it: checkFiles() ignores its problems, and problemsOfOptional() returns them. */
  optional?: boolean;
}

/** Every file and folder that a call reads or writes. */
export interface CallFiles {
  inputs: readonly InputFile[];
  outputs: readonly OutputFile[];
}

interface Problem {
  path: string;
  error: LlamatuneError;
  /** It concerns an optional output. */
  optional?: boolean | undefined;
}

/**
 * Checks the files of a call before it reads or writes any of them: inputs can be read, outputs can be written, and no
 * output would overwrite an input or another output, by any path or link. Then makes the folders of the outputs.
 *
 * @returns the folders that it made, parents first
 * @throws LlamatuneError with the code of the first problem (MODEL_NOT_FOUND, DATASET_NOT_FOUND, OUTPUT_CONFLICT,
 * OUTPUT_NOT_WRITABLE, …) and all of them in `problems`
 */
export function checkFiles(files: CallFiles): string[] {
  const defined = (problem: Problem | undefined) => problem !== undefined;
  const ofOutputs = problemsOfOutputs(files).filter(({ optional }) => !optional);
  throwAll([...files.inputs.map(problemOfInput).filter(defined), ...ofOutputs]);
  const newFolders: string[] = [];
  const failed = files.outputs
    .map((output) => makeFolderOf(output, newFolders))
    .filter(defined)
    .filter(({ optional }) => !optional);
  if (failed.length > 0) removeEmptyFolders(newFolders);
  throwAll(failed);
  return newFolders;
}

/** Why optional outputs cannot be written, by the option that names them. */
export function problemsOfOptional(files: CallFiles): ReadonlyMap<string, LlamatuneError> {
  const problems = problemsOfOutputs(files).filter(({ optional }) => optional);
  return new Map(problems.map(({ path, error }) => [path, error]));
}

function throwAll(problems: readonly Problem[]): void {
  const first = problems[0]?.error;
  if (first === undefined) return;
  const { code, hint, cause } = first;
  const list = problems.map(({ path, error }) => ({ path, message: error.message }));
  const lines = list.map(({ path, message }) => `  ${path}: ${message}`).join('\n');
  const message =
    list.length === 1 ? first.message : `${list.length} files or folders cannot be used:\n${lines}`;
  throw new LlamatuneError(code, message, { hint, cause, problems: list });
}

const inputKinds = {
  model: { notFound: 'MODEL_NOT_FOUND', unreadable: 'MODEL_UNREADABLE' },
  dataset: { notFound: 'DATASET_NOT_FOUND', unreadable: 'DATASET_UNREADABLE' },
  samples: { notFound: 'SAMPLES_NOT_FOUND', unreadable: 'SAMPLES_UNREADABLE' },
  adapter: { notFound: 'ADAPTER_NOT_FOUND', unreadable: 'ADAPTER_UNREADABLE' },
  checkpoint: { notFound: 'CHECKPOINT_NOT_FOUND', unreadable: 'CHECKPOINT_INVALID' },
  config: { notFound: 'CONFIG_NOT_FOUND', unreadable: 'CONFIG_UNREADABLE' },
} as const;

function problemOfInput({ field, path, kind, compareOnly }: InputFile): Problem | undefined {
  if (compareOnly) return undefined;
  const { notFound, unreadable } = inputKinds[kind];
  const problem = (code: string, message: string, hint: string, cause?: unknown) => ({
    path: field,
    error: new LlamatuneError(code, message, { hint, cause }),
  });
  try {
    if (statSync(path).isDirectory() && kind !== 'checkpoint') {
      return problem(unreadable, `the ${kind} '${path}' is a folder`, 'name the file inside it');
    }
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ENOENT'
      ? problem(
          notFound,
          `${kind} not found: ${path}`,
          `check the path; it means ${resolve(path)}`,
          cause,
        )
      : problem(
          unreadable,
          `cannot read the ${kind} '${path}': ${(cause as Error).message}`,
          "check the file's permissions",
          cause,
        );
  }
}

function problemsOfOutputs({ inputs, outputs }: CallFiles): Problem[] {
  const others: KnownFile[] = inputs.flatMap(knownInput);
  const problems: Problem[] = [];
  for (const output of outputs) {
    const { field, path, kind } = output;
    try {
      const file: KnownFile = { label: field, kind, identity: identify(path) };
      const clash = conflictOf(file, others);
      others.push(file);
      const problem = clash === undefined ? problemOfOutput(output) : conflict(output, clash);
      if (problem !== undefined) problems.push(problem);
    } catch (cause) {
      problems.push(notWritable(output, (cause as Error).message, permissions, cause));
    }
  }
  return problems;
}

/** Identifies an input; a split model has several files. problemOfInput() reports a path that cannot be resolved. */
function knownInput({ path, kind }: InputFile): KnownFile[] {
  return shardsOf(path).flatMap((shard) => {
    try {
      return [{ label: `the ${kind}`, kind, identity: identify(shard) }];
    } catch {
      return [];
    }
  });
}

function conflict({ field, path, optional }: OutputFile, reason: string): Problem {
  const message = `cannot write '${path}': ${reason}`;
  const hint = 'choose another path for it';
  const error = new LlamatuneError('OUTPUT_CONFLICT', message, { hint });
  return { path: field, error, optional };
}

const permissions = 'choose another path, or change its permissions';

function problemOfOutput(output: OutputFile): Problem | undefined {
  const { path, kind, compareOnly } = output;
  if (compareOnly) return undefined;
  if (kind !== 'folder' && (path.endsWith('/') || path.endsWith(sep))) {
    return notWritable(output, 'it is a folder', 'name a file inside it');
  }
  const target = endOfLinks(path);
  const stats = statSync(target, { throwIfNoEntry: false });
  if (kind === 'folder') {
    if (stats !== undefined && !stats.isDirectory()) {
      return notWritable(output, 'it is a file', 'name a folder');
    }
    return problemOfFolder(output, target);
  }
  if (stats?.isDirectory()) return notWritable(output, 'it is a folder', 'name a file inside it');
  // A log may go to a device or a pipe; replacing one would remove it.
  // Nobody asked for an optional one there, and opening a pipe would wait for a reader.
  if (stats?.isFile() === false && (kind === 'file' || output.optional === true)) {
    return notWritable(output, 'it is not a regular file', 'name a file');
  }
  if (stats !== undefined) accessSync(target, constants.W_OK);
  return stats !== undefined && !stats.isFile()
    ? undefined
    : problemOfFolder(output, dirname(target));
}

/** Checks that files can be created in the folder, or the folder itself. */
function problemOfFolder(output: OutputFile, folder: string): Problem | undefined {
  const existing = nearestExisting(folder);
  if (!statSync(existing).isDirectory()) {
    return notWritable(output, `'${existing}' is not a folder`, 'choose another path');
  }
  accessSync(existing, constants.W_OK | constants.X_OK);
  return undefined;
}

function makeFolderOf(output: OutputFile, newFolders: string[]): Problem | undefined {
  const { path, kind, compareOnly } = output;
  if (compareOnly) return undefined;
  try {
    const target = endOfLinks(path);
    makeFolder(kind === 'folder' ? target : dirname(target), newFolders);
    return undefined;
  } catch (cause) {
    return notWritable(output, (cause as Error).message, permissions, cause);
  }
}

function notWritable(
  { field, path, optional }: OutputFile,
  reason: string,
  hint: string,
  cause?: unknown,
): Problem {
  const message = `cannot write '${path}': ${reason}`;
  return {
    path: field,
    error: new LlamatuneError('OUTPUT_NOT_WRITABLE', message, { hint, cause }),
    optional,
  };
}
