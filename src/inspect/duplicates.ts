import { createHash } from 'node:crypto';
import { addExample, type Example } from './row-groups.js';

/** Distinct rows that are remembered, in less than 100 MB. */
const LIMIT = 500_000;
/** More than the number of a line or a row. */
const PREFIX_UNIT = 2 ** 40;

/** Finds rows with the tokens of an earlier row, by the hashes of the first distinct rows. */
export class Duplicates {
  readonly examples: Example[] = [];
  rows = 0;
  readonly #limit: number;
  /** Of each hash, the name of the first row as one number: what it starts with, and the number at its end. */
  readonly #firstPlaces = new Map<number, number>();
  readonly #prefixes: string[] = [];

  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  get remembered(): number {
    return this.#firstPlaces.size;
  }

  /** @param where ends with a number, as 'train.jsonl:17' */
  add(tokens: Int32Array, where: string): void {
    const hash = hashOf(tokens);
    const first = this.#firstPlaces.get(hash);
    if (first !== undefined) {
      this.rows += 1;
      addExample(this.examples, where, `repeats ${this.#nameOf(first)}`);
    } else if (this.#firstPlaces.size < this.#limit) {
      this.#firstPlaces.set(hash, this.#placeOf(where));
    }
  }

  #placeOf(where: string): number {
    const digits = /\d*$/.exec(where)![0];
    const prefix = where.slice(0, where.length - digits.length);
    if (this.#prefixes.at(-1) !== prefix) this.#prefixes.push(prefix);
    return (this.#prefixes.length - 1) * PREFIX_UNIT + Number(digits);
  }

  #nameOf(place: number): string {
    const prefix = this.#prefixes[Math.floor(place / PREFIX_UNIT)]!;
    return `${prefix}${place % PREFIX_UNIT}`;
  }
}

/** 52 bits: that two of 500,000 different rows have the same hash has a probability of 0.003 %. */
function hashOf(tokens: Int32Array): number {
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  const digest = createHash('sha1').update(bytes).digest();
  return digest.readUIntBE(0, 6) * 16 + (digest[6]! & 15);
}
