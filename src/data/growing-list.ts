const BITS = 16;
const PART = 2 ** BITS;

/** A list of integers below 2^32 that takes four bytes for each, also while it grows: an array of JavaScript takes more. */
export class GrowingList implements Iterable<number> {
  readonly #parts: Uint32Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    const at = this.#length % PART;
    if (at === 0) this.#parts.push(new Uint32Array(PART));
    this.#parts.at(-1)![at] = value;
    this.#length += 1;
  }

  /** @param index below `length` */
  at(index: number): number {
    return this.#parts[index >>> BITS]![index % PART]!;
  }

  *[Symbol.iterator](): Generator<number, void, undefined> {
    for (let i = 0; i < this.#length; i++) yield this.at(i);
  }
}
