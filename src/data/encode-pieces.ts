import { LlamatuneError } from '../errors.js';
import { TokenSpeller } from './token-speller.js';
import type { TextModel } from './tokenizer.js';

/** A part of a sample's text and its loss weight; 0 for no loss. */
export interface Piece {
  text: string;
  weight: number;
}

/** A tokenized sample with the loss weight of each token. */
export interface EncodedSample {
  tokens: Int32Array;
  weights: Float32Array;
}

export function joinSamples(parts: readonly EncodedSample[]): EncodedSample {
  return {
    tokens: concatenate(
      Int32Array,
      parts.map(({ tokens }) => tokens),
    ),
    weights: concatenate(
      Float32Array,
      parts.map(({ weights }) => weights),
    ),
  };
}

function concatenate<T extends Int32Array | Float32Array>(
  type: new (length: number) => T,
  parts: readonly T[],
): T {
  const whole = new type(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const encoder = new TextEncoder();
/** A prefix that no token shares with the text after it, and after which no space is inserted. */
const GUARD = '\n';

/**
 * Tokenizes each piece separately, so that no token spans a prompt and its answer: generation also
 * continues after a prompt that was tokenized alone.
 */
export class PieceEncoder {
  readonly #model: TextModel;
  readonly #speller: TokenSpeller;

  constructor(model: TextModel, speller = new TokenSpeller(model)) {
    this.#model = model;
    this.#speller = speller;
  }

  /** @throws LlamatuneError TOKENIZER_INEXACT if the tokens do not spell the text of the pieces. */
  encode(pieces: readonly Piece[]): EncodedSample {
    const filled = pieces.filter(({ text }) => text !== '');
    const parts = filled.map(({ text }, i) =>
      i === 0 ? this.#tokenize(text) : this.#tokenizeInside(text),
    );
    const sample = joinSamples(
      parts.map((tokens, i) => ({
        tokens,
        weights: new Float32Array(tokens.length).fill(filled[i]!.weight),
      })),
    );
    // A single piece has no boundary to verify.
    if (filled.length > 1) this.#verify(filled.map(({ text }) => text).join(''), sample.tokens);
    return sample;
  }

  #tokenize(text: string): Int32Array {
    return this.#model.tokenize(text, false, true);
  }

  /** Tokenizes without the space that SentencePiece vocabularies insert before every text. */
  #tokenizeInside(text: string): Int32Array {
    const tokens = this.#tokenize(text);
    const expected = encoder.encode(text);
    const spelled = this.#speller.spell(tokens);
    const extraSpace =
      spelled.length === expected.length + 1 &&
      spelled[0] === 0x20 &&
      same(spelled.subarray(1), expected);
    if (!extraSpace) return tokens;
    const guard = this.#tokenize(GUARD);
    const guarded = this.#tokenize(GUARD + text);
    const rest = guarded.subarray(guard.length);
    const exact =
      guard.every((token, i) => guarded[i] === token) && same(this.#speller.spell(rest), expected);
    return exact ? rest : tokens;
  }

  /** Ignores white space, because some vocabularies drop it around control tokens or insert a space at the start. */
  #verify(text: string, tokens: Int32Array): void {
    const [expected, spelled] = [encoder.encode(text), this.#speller.spell(tokens)];
    if (same(expected, spelled)) return;
    const bare = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\s+/g, '');
    if (bare(expected) === bare(spelled)) return;
    throw new LlamatuneError(
      'TOKENIZER_INEXACT',
      "the tokens do not spell the sample's text, because this vocabulary rewrites texts",
      { hint: "use loss: 'all', or { tokens, weights } rows" },
    );
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
