import { constants } from 'node:os';
import { LlamatuneError } from '../errors.js';

/** Exit codes of the command line. A command that is ended by a signal exits with 128 + its number, as in a shell. */
export const exitCode = { ok: 0, failed: 1, usage: 2 } as const;

export const exitCodeOfSignal = (name: NodeJS.Signals): number => 128 + constants.signals[name];

const usageCodes = new Set([
  'USAGE_INVALID',
  'CONFIG_INVALID',
  'CONFIG_NOT_FOUND',
  'CONFIG_UNREADABLE',
  'CONFIG_INVALID_JSON',
]);

/** The exit code: 2 for wrong usage or configuration, 128 + n for a run ended by signal n, otherwise 1. */
export function exitCodeOf(error: unknown, signal: NodeJS.Signals | undefined): number {
  if (signal !== undefined) return exitCodeOfSignal(signal);
  const known = error instanceof LlamatuneError && usageCodes.has(error.code);
  return known ? exitCode.usage : exitCode.failed;
}

/** An error as plain data: the last line of a `--json` stream. */
export function errorEvent(error: unknown) {
  if (error instanceof LlamatuneError) {
    const { code, message, hint, problems } = error;
    return { type: 'error' as const, code, message, hint, problems };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { type: 'error' as const, code: 'UNEXPECTED', message, hint: '', problems: [] };
}

/** An error as text: code and message, each problem on a separate line, and the hint. */
export function errorText(error: unknown, showStack: boolean): string {
  const { code, message, hint, problems } = errorEvent(error);
  const lines = [`error ${code}: ${message}`];
  for (const problem of problems) {
    const line = problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`;
    // The message of a single problem may already say all of it.
    if (!message.includes(problem.message)) lines.push(`  - ${line}`);
  }
  if (hint !== '') lines.push(`hint: ${hint}`);
  if (code === 'UNEXPECTED' && !showStack) lines.push('hint: set LLAMATUNE_DEBUG=1 to see where');
  if (showStack && error instanceof Error && error.stack) lines.push(error.stack);
  return `${lines.join('\n')}\n`;
}
