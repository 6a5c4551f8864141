import { createHash } from 'node:crypto';
import { addExample, type Example } from './row-groups.js';

/** Distinct rows that are remembered, in about 100 MB. */
const LIMIT = 500_000;

/** Finds rows with the tokens of an earlier row, by the hashes of the first distinct rows. */
export class Duplicates {
  readonly examples: Example[] = [];
  rows = 0;
  readonly #limit: number;
  readonly #firstPlaces = new Map<string, string>();

  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  get remembered(): number {
    return this.#firstPlaces.size;
  }

  add(tokens: Int32Array, where: string): void {
    const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
    const hash = createHash('sha1').update(bytes).digest('base64').slice(0, 16);
    const first = this.#firstPlaces.get(hash);
    if (first !== undefined) {
      this.rows += 1;
      addExample(this.examples, where, `repeats ${first}`);
    } else if (this.#firstPlaces.size < this.#limit) this.#firstPlaces.set(hash, where);
  }
}
