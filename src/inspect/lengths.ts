import type { LengthBin, Lengths } from './result.js';

/** Numbers of a list that grows, four bytes each. */
export class LengthList {
  #values = new Int32Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Int32Array(2 * this.#count);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = value;
  }

  /** A view, valid until the next push(). */
  get values(): Int32Array {
    return this.#values.subarray(0, this.#count);
  }
}

/** Statistics of lengths; null if there are none. */
export function describeLengths(lengths: Int32Array): Lengths | null {
  if (lengths.length === 0) return null;
  const sorted = lengths.slice().sort();
  const at = (fraction: number) => sorted[Math.ceil(fraction * sorted.length) - 1]!;
  return {
    shortest: sorted[0]!,
    median: at(0.5),
    mean: sorted.reduce((sum, length) => sum + length, 0) / sorted.length,
    p95: at(0.95),
    longest: at(1),
    histogram: histogramOf(sorted),
  };
}

/** Bins whose ends are 16, 24, 32, 48, 64, 96, …, from the first to the last one that is not empty. */
function histogramOf(sorted: Int32Array): LengthBin[] {
  const bins: LengthBin[] = [];
  let [from, next] = [1, 0];
  for (let to = 16; next < sorted.length; to = endAfter(to)) {
    const start = next;
    while (next < sorted.length && sorted[next]! <= to) next += 1;
    if (next > start || bins.length > 0) bins.push({ from, to, samples: next - start });
    from = to + 1;
  }
  return bins;
}

/** 16 → 24 → 32 → 48 → 64 → … */
const endAfter = (end: number): number => (Number.isInteger(Math.log2(end)) ? 1.5 : 4 / 3) * end;
