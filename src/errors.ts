import { inspect } from 'node:util';

/** One problem of a configuration: the field and what is wrong with it. */
export interface ConfigProblem {
  /** Path of the field, e.g. 'lora.rank'; '' for the whole configuration. */
  path: string;
  /** 'expected … but received …', or a plain sentence. */
  message: string;
}

/**
 * The class of all errors that llamatune throws. docs/errors.md lists the codes.
 *
 * - `code`: stable, upper case, e.g. 'MODEL_NOT_FOUND', 'CONFIG_INVALID', 'ABORTED'.
 * - `message`: what went wrong.
 * - `hint`: what to do about it; may be ''.
 * - `problems`: all problems at once, e.g. with CONFIG_INVALID.
 */
export class LlamatuneError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly problems: readonly ConfigProblem[];

  constructor(
    code: string,
    message: string,
    options: { hint?: string; problems?: readonly ConfigProblem[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LlamatuneError';
    this.code = code;
    this.hint = options.hint ?? '';
    this.problems = options.problems ?? [];
  }
}

/** The message of whatever was thrown. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : inspect(error);
