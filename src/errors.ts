/** One thing that is wrong with a configuration: where, what was expected and what came. */
export interface ConfigProblem {
  /** Path of the field, e.g. 'lora.rank'; '' for the whole. */
  path: string;
  message: string;
}

/**
 * Every error that llamatune throws.
 *
 * - `code`: stable, upper case, e.g. 'MODEL_NOT_FOUND', 'CONFIG_INVALID', 'ABORTED'.
 * - `message`: what was expected and what came.
 * - `hint`: what to do about it; '' where there is nothing more to say.
 * - `problems`: with CONFIG_INVALID, all of them at once.
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
