import type { EncodedSample } from '../data/encode-pieces.js';
import type { TokenSpeller } from '../data/token-speller.js';
import type { MarkedPart, PreviewRow } from './result.js';

/** Tokens of a row that are shown. */
const SHOWN = 2000;

/** A row in parts of equal loss weight. */
export function previewRow(
  { tokens, weights }: EncodedSample,
  where: string,
  speller: TokenSpeller,
): PreviewRow {
  const parts: MarkedPart[] = [];
  const count = Math.min(tokens.length, SHOWN);
  for (let start = 0; start < count; ) {
    const weight = weights[start]!;
    let end = start + 1;
    while (end < count && weights[end] === weight) end += 1;
    parts.push({ text: speller.textOf(tokens.subarray(start, end)), weight });
    start = end;
  }
  return {
    where,
    tokens: tokens.length,
    targetTokens: weights.reduce((sum, weight) => sum + (weight > 0 ? 1 : 0), 0),
    parts,
    shortened: tokens.length > SHOWN,
  };
}
