import { LlamatuneError } from '../errors.js';
import type { EncodedSample } from './encode-pieces.js';
import { hasTarget } from './encode-sample.js';

export interface FitOptions {
  /** Maximum tokens of a sample. */
  sequenceLength: number;
  /** What to do with a longer one. */
  overlength: 'error' | 'truncate' | 'split' | 'skip';
  /** Which end is cut off. */
  truncationSide: 'right' | 'left';
}

/** What happened to samples that were too long. */
export interface FitCounts {
  truncated: number;
  /** Truncated samples that lost target tokens. */
  answersCut: number;
  /** Samples that were split. */
  split: number;
  /** Samples that were left out, because of their length or because no target token was left. */
  skipped: number;
}

export const noCounts = (): FitCounts => ({ truncated: 0, answersCut: 0, split: 0, skipped: 0 });

/**
 * The samples of at most `sequenceLength` tokens that a sample becomes; each has a target token.
 *
 * @throws LlamatuneError SAMPLE_TOO_LONG
 */
export function fitSample(
  sample: EncodedSample,
  where: string,
  { sequenceLength, overlength, truncationSide }: FitOptions,
  counts: FitCounts,
): EncodedSample[] {
  const { length } = sample.tokens;
  if (length <= sequenceLength) return [sample];
  if (overlength === 'error') throw tooLong(where, length, sequenceLength);
  const start = truncationSide === 'left' ? length - sequenceLength : 0;
  const parts = {
    skip: () => [],
    truncate: () => [part(sample, start, start + sequenceLength)],
    split: () => pieces(sample, sequenceLength),
  }[overlength]();
  const kept = parts.filter(({ weights }) => hasTarget(weights));
  if (kept.length === 0) counts.skipped += 1;
  else if (overlength === 'split') counts.split += 1;
  else {
    counts.truncated += 1;
    const removed =
      start > 0 ? sample.weights.subarray(0, start) : sample.weights.subarray(sequenceLength);
    if (hasTarget(removed)) counts.answersCut += 1;
  }
  return kept;
}

function pieces(sample: EncodedSample, size: number): EncodedSample[] {
  const count = Math.ceil(sample.tokens.length / size);
  return Array.from({ length: count }, (_, i) => part(sample, i * size, (i + 1) * size));
}

function part({ tokens, weights }: EncodedSample, start: number, end: number): EncodedSample {
  const own = weights.slice(start, end);
  own[0] = 0;
  return { tokens: tokens.subarray(start, end), weights: own };
}

const tooLong = (where: string, length: number, limit: number): LlamatuneError =>
  new LlamatuneError(
    'SAMPLE_TOO_LONG',
    `${where}: the sample has ${length} tokens, more than sequenceLength (${limit})`,
    {
      hint: "raise sequenceLength, shorten the sample, or set overlength to 'truncate', 'split' or 'skip'",
    },
  );
