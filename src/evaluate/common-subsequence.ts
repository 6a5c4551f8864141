/** Bits of a block. The sum of two blocks and a carry fits a 32-bit integer, which engines compute fast. */
const BITS = 30;
const ALL = 2 ** BITS - 1;

/** Where a word is in a text: the blocks that have it, in order, and its bits in each of them. */
interface Positions {
  blocks: number[];
  bits: number[];
}

function positionsOf(words: readonly string[]): Map<string, Positions> {
  const found = new Map<string, Positions>();
  words.forEach((word, i) => {
    const block = Math.floor(i / BITS);
    const positions = found.get(word) ?? { blocks: [], bits: [] };
    found.set(word, positions);
    const { blocks, bits } = positions;
    if (blocks.at(-1) !== block) {
      blocks.push(block);
      bits.push(0);
    }
    bits[bits.length - 1]! |= 1 << (i % BITS);
  });
  return found;
}

/**
 * Length of the longest common subsequence of two texts. A row of the dynamic programming table is a bit vector V: bit j is 0
 * where the row grows from column j to j + 1. The row of the next word, with U = V & (positions of the word in b), is
 * (V + U) | (V & ~U) (Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004, after Crochemore et al., "A fast
 * and practical bit-vector algorithm for the longest common subsequence problem", 2001). Blocks change only where U is not 0
 * and where the addition carries, so the others are skipped.
 *
 * @param pace is awaited in the loop, so that two texts of any length leave the event loop free
 */
export async function commonSubsequenceLength(
  a: readonly string[],
  b: readonly string[],
  pace: () => Promise<void> | undefined,
): Promise<number> {
  const positions = positionsOf(b);
  const row = new Int32Array(Math.ceil(b.length / BITS)).fill(ALL);
  for (const word of a) {
    const found = positions.get(word);
    if (found === undefined) continue;
    nextRow(row, found);
    const pause = pace();
    if (pause !== undefined) await pause;
  }
  return zerosIn(row);
}

function nextRow(row: Int32Array, { blocks, bits }: Positions): void {
  let carry = 0;
  let next = 0;
  for (let block = blocks[0]!; block < row.length; block++) {
    if (carry === 0) {
      if (next === blocks.length) return;
      block = blocks[next]!;
    }
    const before = row[block]!;
    const shared = blocks[next] === block ? before & bits[next++]! : 0;
    const sum = before + shared + carry;
    carry = sum >>> BITS;
    row[block] = (sum & ALL) | (before & ~shared);
  }
}

/** Bits beyond the last word stay 1, because no word is there. */
function zerosIn(row: Int32Array): number {
  let zeros = 0;
  for (const bits of row) for (let left = ~bits & ALL; left !== 0; left &= left - 1) zeros++;
  return zeros;
}
