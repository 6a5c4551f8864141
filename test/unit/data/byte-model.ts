import type { TextModel, Vocabulary } from '../../../src/data/tokenizer.js';

/** Control tokens come first, then the 256 bytes, then merges of byte pairs. */
export const SPECIAL = ['<s>', '</s>', '<|im_start|>', '<|im_end|>'] as const;
export const BOS = 0;
export const EOS = 1;
export const EOT = 3;
const BYTES = SPECIAL.length;

export const CHATML = `{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

export interface ByteModelOptions extends Partial<Vocabulary> {
  /** Inserts a space before every text that does not start with a control token, like SentencePiece. */
  spacePrefix?: boolean;
  /** Pairs of characters that become one token, to detect where texts were split. */
  merges?: readonly string[];
}

/**
 * A small real tokenizer: UTF-8 bytes, a few control tokens, and merges. Its tokens can be converted back to text.
 */
export class ByteModel implements TextModel {
  readonly #vocabulary: Vocabulary;
  readonly #spacePrefix: boolean;
  readonly #merges: readonly Uint8Array[];

  constructor({ spacePrefix = false, merges = [], ...vocabulary }: ByteModelOptions = {}) {
    this.#spacePrefix = spacePrefix;
    this.#merges = merges.map((pair) => new TextEncoder().encode(pair));
    this.#vocabulary = {
      vocabularySize: BYTES + 256 + merges.length,
      chatTemplate: CHATML,
      bosToken: BOS,
      eosToken: EOS,
      eotToken: EOT,
      endOfGenerationTokens: Int32Array.of(EOS, EOT),
      addBos: false,
      ...vocabulary,
    };
  }

  info(): Vocabulary {
    return this.#vocabulary;
  }

  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array {
    const tokens: number[] = addSpecial && this.#vocabulary.addBos ? [BOS] : [];
    const pattern = /(<s>|<\/s>|<\|im_start\|>|<\|im_end\|>)/;
    const parts = parseSpecial ? text.split(pattern) : [text];
    for (const part of parts) {
      const special = parseSpecial ? SPECIAL.indexOf(part as (typeof SPECIAL)[number]) : -1;
      if (special >= 0) tokens.push(special);
      else if (part !== '') tokens.push(...this.#bytes(this.#spacePrefix ? ` ${part}` : part));
    }
    return Int32Array.from(tokens);
  }

  tokenBytes(token: number, special: boolean): Uint8Array {
    if (token < BYTES) return new TextEncoder().encode(special ? SPECIAL[token]! : '');
    if (token < BYTES + 256) return Uint8Array.of(token - BYTES);
    return this.#merges[token - BYTES - 256]!;
  }

  /** The text of tokens, including control tokens. */
  text(tokens: ArrayLike<number>): string {
    const bytes = Array.from(tokens).flatMap((token) => [...this.tokenBytes(token, true)]);
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  /** The text of the tokens with a loss. */
  targetText(sample: { tokens: ArrayLike<number>; weights: ArrayLike<number> }): string {
    return this.text(Array.from(sample.tokens).filter((_, i) => sample.weights[i]! > 0));
  }

  #bytes(text: string): number[] {
    const bytes = new TextEncoder().encode(text);
    const tokens: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const merge = this.#merges.findIndex((pair) => pair.every((b, i) => bytes[at + i] === b));
      tokens.push(merge >= 0 ? BYTES + 256 + merge : BYTES + bytes[at]!);
      at += merge >= 0 ? this.#merges[merge]!.length : 1;
    }
    return tokens;
  }
}
