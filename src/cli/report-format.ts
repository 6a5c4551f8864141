import { LlamatuneError, type ReportFormat } from '../index.js';
import type { ParsedArguments } from './arguments.js';
import type { CliOption } from './option.js';

const FORMATS: readonly ReportFormat[] = ['text', 'markdown', 'html', 'json'];

/** @param description what is written in the format */
export const formatOption = (description: string): CliOption => ({
  name: 'format',
  kind: 'text',
  typeText: FORMATS.join(' | '),
  description: `${description} Default: text.`,
});

/**
 * The format of --format, of which --json is short for the last one.
 *
 * @param example of a correct command, for the hint of the error
 * @throws LlamatuneError USAGE_INVALID
 */
export function formatOf({ values }: ParsedArguments, example: string): ReportFormat {
  const given = values.get('json') === true ? 'json' : (values.get('format') ?? 'text');
  const format = FORMATS.find((name) => name === given);
  if (format !== undefined) return format;
  throw new LlamatuneError(
    'USAGE_INVALID',
    `expected ${FORMATS.join(', ')} for --format but received '${given}'`,
    { hint: example },
  );
}
