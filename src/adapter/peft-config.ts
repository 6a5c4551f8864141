import { readFileSync } from 'node:fs';
import { createContext, runInContext } from 'node:vm';
import { z } from 'zod';
import { problemsOf } from '../config/parse.js';
import { LlamatuneError } from '../errors.js';
import { peftFiles } from '../files/names.js';

/** The fields of adapter_config.json that say what the tensors mean. Ranks are those of the tensors. */
const peftConfigSchema = z.looseObject({
  peft_type: z.string(),
  lora_alpha: z.number().default(8),
  use_rslora: z.boolean().nullish(),
  alpha_pattern: z.record(z.string(), z.number().positive()).nullish(),
  target_parameters: z.union([z.string(), z.array(z.string())]).nullish(),
});

export type PeftConfig = z.output<typeof peftConfigSchema>;

/** What these fields must be, because GGUF adapters have nothing like it. */
const unsupported: readonly [field: string, allowed: (value: unknown) => boolean, what: string][] =
  [
    ['use_dora', (value) => !value, 'DoRA'],
    ['bias', (value) => value === undefined || value === 'none', 'trained biases'],
    ['lora_bias', (value) => !value, 'LoRA biases'],
    ['modules_to_save', isEmpty, 'whole trained modules (modules_to_save)'],
    ['trainable_token_indices', isEmpty, 'trained tokens'],
    ['layer_replication', isEmpty, 'replicated layers'],
    ['alora_invocation_tokens', isEmpty, 'activated LoRA'],
  ];

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/**
 * Reads adapter_config.json.
 *
 * @throws LlamatuneError ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID, ADAPTER_UNSUPPORTED
 */
export function readPeftConfig(folder: string): PeftConfig {
  const [, path] = peftFiles(folder);
  const hint = "name a folder that PEFT's save_pretrained() wrote";
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const message = missing
      ? `adapter not found: ${path}`
      : `cannot read '${path}': ${(cause as Error).message}`;
    const code = missing ? 'ADAPTER_NOT_FOUND' : 'ADAPTER_UNREADABLE';
    throw new LlamatuneError(code, message, { hint, cause });
  }
  const parsed = peftConfigSchema.safeParse(jsonOf(text), { reportInput: true });
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue));
    const list = problems.map((problem) => `${problem.path || 'the file'}: ${problem.message}`);
    const message = `cannot read the configuration of the PEFT adapter '${path}': ${list.join('; ')}`;
    throw new LlamatuneError('ADAPTER_INVALID', message, { hint, problems });
  }
  const config = parsed.data;
  const problems = unsupported
    .filter(([field, allowed]) => !allowed(config[field]))
    .map(([field, , what]) => ({ path: field, message: what }));
  if (config.peft_type !== 'LORA') {
    problems.unshift({ path: 'peft_type', message: `the method ${config.peft_type}` });
  }
  if (problems.length > 0) {
    const list = problems.map(({ message }) => message).join(', ');
    throw new LlamatuneError(
      'ADAPTER_UNSUPPORTED',
      `cannot import the adapter '${folder}', because a GGUF adapter cannot have: ${list}`,
      { hint: 'merge the adapter with PEFT and convert the merged model to GGUF', problems },
    );
  }
  return config;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** alpha / rank, or alpha / sqrt(rank) with rsLoRA, of a module or parameter of this name. */
export function scaleOf(config: PeftConfig, name: string, rank: number): number {
  // The weight of a linear layer can be adapted as a parameter.
  const names = [name, `${name}.weight`];
  const pattern = Object.entries(config.alpha_pattern ?? {}).find(([key]) =>
    names.some((each) => matches(key, each)),
  );
  const alpha = pattern?.[1] ?? config.lora_alpha;
  return config.use_rslora ? alpha / Math.sqrt(rank) : alpha / rank;
}

const LONGEST_MATCH_MS = 1000;

/**
 * PEFT's rule: the pattern is a regular expression of the end of the name. The file is not trusted, and some expressions
 * need exponential time, so they run with a limit.
 */
function matches(pattern: string, name: string): boolean {
  if (/^[\w.]+$/.test(pattern)) return name === pattern || name.endsWith(`.${pattern}`);
  const expression = expressionOf(pattern);
  if (expression === undefined) return pattern === name;
  try {
    const context = createContext({ expression, name });
    return runInContext('expression.test(name)', context, { timeout: LONGEST_MATCH_MS }) as boolean;
  } catch (cause) {
    const message = `cannot import the adapter: its alpha_pattern '${pattern}' takes too long to match`;
    const hint = 'write the names of the modules in alpha_pattern of adapter_config.json';
    throw new LlamatuneError('ADAPTER_INVALID', message, { hint, cause });
  }
}

function expressionOf(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:.*\\.)?(?:${pattern})$`);
  } catch {
    return undefined;
  }
}

/** Whether `target_parameters` names this parameter. */
export function targetsParameter({ target_parameters }: PeftConfig, name: string): boolean {
  const targets = typeof target_parameters === 'string' ? [target_parameters] : target_parameters;
  return (targets ?? []).some((target) => name === target || name.endsWith(`.${target}`));
}
