import { LlamatuneError } from '../errors.js';
import type { TextModel } from './tokenizer.js';

/** A part of a sample's text, and whether predicting it carries a loss. */
export interface Piece {
  text: string;
  target: boolean;
}

/** A tokenized sample. A mask of 1: predicting this token carries a loss. */
export interface EncodedSample {
  tokens: Int32Array;
  mask: Uint8Array;
}

export function joinSamples(parts: readonly EncodedSample[]): EncodedSample {
  return {
    tokens: concatenate(
      Int32Array,
      parts.map(({ tokens }) => tokens),
    ),
    mask: concatenate(
      Uint8Array,
      parts.map(({ mask }) => mask),
    ),
  };
}

function concatenate<T extends Int32Array | Uint8Array>(
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
/** Ends no token's merge and starts no word, so that what follows is tokenized as inside a text. */
const GUARD = '\n';

/**
 * Tokenizes each piece by itself, so that no token reaches over the border between what carries a
 * loss and what does not: generation, too, continues after a prompt that was tokenized alone.
 */
export class PieceEncoder {
  readonly #model: TextModel;
  readonly #bytes: Uint8Array[] = [];

  constructor(model: TextModel) {
    this.#model = model;
  }

  /** @throws LlamatuneError TOKENIZER_INEXACT when the tokens do not spell the pieces' text. */
  encode(pieces: readonly Piece[]): EncodedSample {
    const filled = pieces.filter(({ text }) => text !== '');
    const parts = filled.map(({ text }, i) =>
      i === 0 ? this.#tokenize(text) : this.#tokenizeInside(text),
    );
    const sample = joinSamples(
      parts.map((tokens, i) => ({
        tokens,
        mask: new Uint8Array(tokens.length).fill(filled[i]!.target ? 1 : 0),
      })),
    );
    // A single piece has no border to be wrong about: its tokens are the model's own reading.
    if (filled.length > 1) this.#verify(filled.map(({ text }) => text).join(''), sample.tokens);
    return sample;
  }

  #tokenize(text: string): Int32Array {
    return this.#model.tokenize(text, false, true);
  }

  /** SentencePiece vocabularies put a space before any text; inside a sample it must not be there. */
  #tokenizeInside(text: string): Int32Array {
    const tokens = this.#tokenize(text);
    const expected = encoder.encode(text);
    const spelled = this.#spell(tokens);
    const extraSpace =
      spelled.length === expected.length + 1 &&
      spelled[0] === 0x20 &&
      same(spelled.subarray(1), expected);
    if (!extraSpace) return tokens;
    const guard = this.#tokenize(GUARD);
    const guarded = this.#tokenize(GUARD + text);
    const rest = guarded.subarray(guard.length);
    const exact =
      guard.every((token, i) => guarded[i] === token) && same(this.#spell(rest), expected);
    return exact ? rest : tokens;
  }

  /** White space may differ: some vocabularies swallow it around control tokens, or add one in front. */
  #verify(text: string, tokens: Int32Array): void {
    const [expected, spelled] = [encoder.encode(text), this.#spell(tokens)];
    if (same(expected, spelled)) return;
    const bare = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\s+/g, '');
    if (bare(expected) === bare(spelled)) return;
    throw new LlamatuneError(
      'TOKENIZER_INEXACT',
      "expected tokens that spell the sample's text but received others " +
        '(this vocabulary rewrites texts)',
      { hint: "use loss: 'all', or { tokens, mask } rows" },
    );
  }

  #spell(tokens: Int32Array): Uint8Array {
    return concatenate(
      Uint8Array,
      Array.from(tokens, (token) => this.#tokenBytes(token)),
    );
  }

  #tokenBytes(token: number): Uint8Array {
    let bytes = this.#bytes[token];
    if (bytes === undefined) {
      bytes = this.#model.tokenBytes(token, true);
      this.#bytes[token] = bytes;
    }
    return bytes;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
