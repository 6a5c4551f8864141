import { basename, dirname, extname, join } from 'node:path';

const stemOf = (path: string): string => path.slice(0, path.length - extname(path).length);
/** The run log of an output, next to it. */
export const logOfOutput = (output: string): string => `${stemOf(output)}-log.jsonl`;
/** The picture of the loss curve that belongs to the model card of an output. */
export const curveOfOutput = (output: string): string => `${stemOf(output)}-loss.svg`;
/** The picture of the use of experts that belongs to the same card. */
export const expertsOfOutput = (output: string): string => `${stemOf(output)}-experts.svg`;

/** What a report writes into its folder. */
export const REPORT_NAMES = ['summary.md', 'summary.txt', 'report.html', 'charts'] as const;

const LOCK_SUFFIX = '.llamatune-lock';
/** The lock of an output, next to it. */
export const lockOfFile = (target: string): string => `${target}${LOCK_SUFFIX}`;
/** The lock of a folder that a run writes to, inside it. */
export const lockOfFolder = (folder: string): string => join(folder, LOCK_SUFFIX);

/** Suffix of incomplete files; native/core/atomic-file.cpp uses the same form. */
const TEMPORARY = '.llamatune-tmp-';
let counter = 0;
export const temporaryName = (target: string): string =>
  `${target}${TEMPORARY}${process.pid}-js${counter++}`;

/** native/train/checkpoint-list.cpp writes the form with a run; without one, a checkpoint is of an older version. */
const CHECKPOINT = /^checkpoint-\d+(-[0-9a-f]{8})?\.gguf$/;

/** Whether a file is named like a checkpoint of the engine. */
export const isCheckpointName = (target: string): boolean => CHECKPOINT.test(basename(target));

/** Whether a file is the lock of an output that is named like a checkpoint. */
export const isLockOfCheckpointName = (name: string): boolean =>
  name.endsWith(LOCK_SUFFIX) && isCheckpointName(name.slice(0, -LOCK_SUFFIX.length));

/** Whether a file next to `target` is a temporary file of an interrupted writer of `target`. */
export function isTemporaryOf(target: string, name: string): boolean {
  return name.startsWith(`${basename(target)}${TEMPORARY}`);
}

/** Whether a file is a temporary file of an interrupted writer of a checkpoint. */
export function isTemporaryCheckpoint(name: string): boolean {
  const at = name.indexOf(TEMPORARY);
  return at > 0 && CHECKPOINT.test(name.slice(0, at));
}

const SHARD = /^(.+)-\d{5}-of-(\d{5})\.gguf$/;

/** All files of a model that is split into several files; for any other path, the path itself. */
export function shardsOf(path: string): string[] {
  const match = SHARD.exec(basename(path));
  if (match === null) return [path];
  const [, name, total] = match as unknown as [string, string, string];
  return Array.from({ length: Number(total) }, (_, i) =>
    join(dirname(path), `${name}-${String(i + 1).padStart(5, '0')}-of-${total}.gguf`),
  );
}

/** The files of an adapter of PEFT in this folder: the weights and the configuration. */
export const peftFiles = (folder: string): [weights: string, config: string] => [
  join(folder, 'adapter_model.safetensors'),
  join(folder, 'adapter_config.json'),
];
