import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { FinetuneConfig } from '../config/finetune.js';
import { LlamatuneError } from '../errors.js';

interface PathProblem {
  path: string;
  error: LlamatuneError;
}

/**
 * Looks at every file and folder that a run needs, before any work is done. Folders for the output and the
 * checkpoints are made.
 *
 * @throws LlamatuneError with the code of the first problem (MODEL_NOT_FOUND, DATASET_NOT_FOUND, DATASET_UNREADABLE,
 * ADAPTER_NOT_FOUND, OUTPUT_NOT_WRITABLE, …) and all of them in `problems`.
 */
export async function checkPaths(config: FinetuneConfig): Promise<void> {
  const { model, dataset, validation, lora, checkpoint, output } = config;
  const checks = [
    typeof model === 'string' ? readable('model', model, 'MODEL', 'a GGUF model') : null,
    typeof dataset === 'string' ? readable('dataset', dataset, 'DATASET', 'a dataset') : null,
    typeof validation?.dataset === 'string'
      ? readable('validation.dataset', validation.dataset, 'DATASET', 'a dataset')
      : null,
    lora.initAdapter === undefined
      ? null
      : readable('lora.initAdapter', lora.initAdapter, 'ADAPTER', 'a LoRA adapter'),
    writableFile('output', output),
    checkpoint === undefined ? null : writableFolder('checkpoint.directory', checkpoint.directory),
  ];
  const problems = (await Promise.all(checks)).filter((problem) => problem !== null);
  const first = problems[0];
  if (first === undefined) return;
  if (problems.length === 1) throw withProblems(first.error, problems);
  const list = problems.map(({ path, error }) => `  ${path}: ${error.message}`).join('\n');
  throw withProblems(
    first.error,
    problems,
    `${problems.length} files or folders cannot be used:\n${list}`,
  );
}

function withProblems(
  first: LlamatuneError,
  all: PathProblem[],
  message = first.message,
): LlamatuneError {
  return new LlamatuneError(first.code, message, {
    hint: first.hint,
    cause: first.cause,
    problems: all.map(({ path, error }) => ({ path, message: error.message })),
  });
}

async function readable(
  field: string,
  path: string,
  codes: string,
  what: string,
): Promise<PathProblem | null> {
  const problem = (code: string, received: string, hint: string, cause?: unknown) => ({
    path: field,
    error: new LlamatuneError(code, `expected ${what} at '${path}' but received ${received}`, {
      hint,
      cause,
    }),
  });
  try {
    if ((await stat(path)).isDirectory()) {
      return problem(`${codes}_UNREADABLE`, 'a folder', 'name the file inside it');
    }
    await access(path, constants.R_OK);
    return null;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ENOENT'
      ? problem(
          `${codes}_NOT_FOUND`,
          'no such file',
          `check the path; it means ${resolve(path)}`,
          cause,
        )
      : problem(
          `${codes}_UNREADABLE`,
          (cause as Error).message,
          "check the file's permissions",
          cause,
        );
  }
}

async function writableFile(field: string, path: string): Promise<PathProblem | null> {
  const taken = await stat(path).catch(() => null);
  if (taken?.isDirectory())
    return notWritable(field, path, 'it is a folder', 'name a file inside it');
  return writableFolder(field, dirname(path));
}

async function writableFolder(field: string, folder: string): Promise<PathProblem | null> {
  try {
    await makeFolder(resolve(folder));
    await access(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (cause) {
    const hint = 'choose another folder, or change its permissions';
    return notWritable(field, folder, (cause as Error).message, hint, cause);
  }
}

/** Level by level: Node's own recursive mkdir never returns in a file system that makes no folders, like /proc. */
async function makeFolder(folder: string): Promise<void> {
  if ((await stat(folder).catch(() => null)) !== null) return;
  if (dirname(folder) !== folder) await makeFolder(dirname(folder));
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

function notWritable(
  field: string,
  path: string,
  reason: string,
  hint: string,
  cause?: unknown,
): PathProblem {
  return {
    path: field,
    error: new LlamatuneError(
      'OUTPUT_NOT_WRITABLE',
      `expected to write to '${path}' but ${reason}`,
      {
        hint,
        cause,
      },
    ),
  };
}
