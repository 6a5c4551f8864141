import type { TextModel } from './tokenizer.js';

/** Spells tokens, control tokens included, and remembers the bytes of each. */
export class TokenSpeller {
  readonly #model: TextModel;
  readonly #bytes: Uint8Array[] = [];

  constructor(model: TextModel) {
    this.#model = model;
  }

  bytesOf(token: number): Uint8Array {
    let bytes = this.#bytes[token];
    if (bytes === undefined) {
      bytes = this.#model.tokenBytes(token, true);
      this.#bytes[token] = bytes;
    }
    return bytes;
  }

  /** The bytes of several tokens together: a character may span two of them. */
  spell(tokens: Int32Array): Uint8Array {
    return Buffer.concat(Array.from(tokens, (token) => this.bytesOf(token)));
  }

  textOf(tokens: Int32Array): string {
    return new TextDecoder().decode(this.spell(tokens));
  }

  /** Whether a token is written only as a control token, like '<|im_end|>'. */
  isControl(token: number): boolean {
    return this.bytesOf(token).length > 0 && this.#model.tokenBytes(token, false).length === 0;
  }
}
