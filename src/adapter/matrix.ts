import type { Source } from './names.js';

/** Numbers of attention heads; undefined if the layers have different numbers. */
export interface Heads {
  head_count: number | undefined;
  head_count_kv: number | undefined;
  linear?: LinearHeads | undefined;
}

/** Heads of linear attention (gated delta net). */
export interface LinearHeads {
  keys: number;
  values: number;
  /** Width of all value heads. */
  valueWidth: number;
}

/** A LoRA pair of a weight, in the layout of PEFT and with its scale: the update is scale * B A. */
export interface Factors {
  rank: number;
  /** 1 for a plain matrix. */
  experts: number;
  scale: number;
  /** [experts][rank][inputs] */
  a: Float32Array;
  /** [experts][outputs][rank] */
  b: Float32Array;
}

/** Whether the numbers of heads that the order of rows or columns depends on are known and fit their number. */
export function fitsHeads(
  { rope, grouped, valueHeads }: Source,
  rows: number,
  columns: number,
  heads: Heads,
): boolean {
  if (valueHeads !== undefined) {
    if (heads.linear === undefined) return false;
    const { keys, values, valueWidth } = heads.linear;
    const ordered = Math.min(valueHeads === 'rows' ? rows : columns, valueWidth);
    return values % keys === 0 && ordered % values === 0;
  }
  if (rope !== undefined) return rows % (2 * (heads[rope] ?? Number.NaN)) === 0;
  if (grouped === undefined) return true;
  const [queries = Number.NaN, groups = Number.NaN] = [heads.head_count, heads[grouped]];
  return queries % groups === 0 && rows % (queries + 2 * groups) === 0;
}

/**
 * For each row of a tensor in GGUF, the row of the parameter in Transformers, which has `parts` times as many rows.
 * fitsHeads() must be true.
 */
export function rowsOf(source: Source, rows: number, heads: Heads): (row: number) => number {
  const { rope, grouped, part, parts, interleaved, valueHeads } = source;
  if (valueHeads === 'rows') return byKeyHead(rows, heads.linear!);
  if (rope !== undefined) {
    const half = rows / heads[rope]! / 2;
    return (row) => {
      const inHead = row % (2 * half);
      return row - inHead + (inHead % 2) * half + Math.floor(inHead / 2);
    };
  }
  if (grouped !== undefined) {
    const [queries, groups] = [heads.head_count!, heads[grouped]!];
    const width = rows / (queries + 2 * groups); // of a head
    const perGroup = queries / groups;
    return (row) => {
      const head = Math.floor(row / width);
      const [group, inGroup] =
        head < queries
          ? [Math.floor(head / perGroup), head % perGroup]
          : [(head - queries) % groups, perGroup + Math.floor((head - queries) / groups)];
      return (group * (perGroup + 2) + inGroup) * width + (row % width);
    };
  }
  if (part === undefined || parts === undefined) return (row) => row;
  return interleaved ? (row) => row * parts + part : (row) => part * rows + row;
}

/** For each of `count` rows or columns in GGUF, the one in Transformers: value heads sorted by their key head. */
function byKeyHead(
  count: number,
  { keys, values, valueWidth }: LinearHeads,
): (index: number) => number {
  const ordered = Math.min(count, valueWidth);
  const first = count - ordered;
  const width = ordered / values;
  const perKey = values / keys;
  return (index) => {
    if (index < first) return index;
    const head = Math.floor((index - first) / width);
    const inTransformers = (head % keys) * perKey + Math.floor(head / keys);
    return first + inTransformers * width + ((index - first) % width);
  };
}

/** The pair with its inputs in the order of GGUF, from that of Transformers, or back. fitsHeads() must be true. */
export function withInputsOf(
  target: 'gguf' | 'transformers',
  factors: Factors,
  { valueHeads }: Source,
  { linear }: Heads,
): Factors {
  if (valueHeads !== 'columns') return factors;
  const inputs = factors.a.length / (factors.rank * factors.experts);
  const columnOf = byKeyHead(inputs, linear!);
  const a = factors.a.map((_, at) => {
    const column = at % inputs;
    return factors.a[at - column + columnOf(column)]!;
  });
  if (target === 'gguf') return { ...factors, a };
  factors.a.forEach((value, at) => {
    const column = at % inputs;
    a[at - column + columnOf(column)] = value;
  });
  return { ...factors, a };
}

/** Whether two pairs read their input alike, so that one A serves both. */
const sameInput = (x: Factors, y: Factors): boolean =>
  x.rank === y.rank && x.a.length === y.a.length && x.a.every((value, i) => value === y.a[i]);

/**
 * The pair of a parameter whose rows come from several tensors. Tensors that share A share their ranks; otherwise the ranks
 * add up, and each has zeros in B for the rows of the others.
 *
 * @param outputs rows of the parameter
 */
export function combined(
  given: readonly { factors: Factors; rowOf: (row: number) => number }[],
  outputs: number,
): Factors {
  const first = given[0]!.factors;
  const shared = given.every(({ factors }) => sameInput(factors, first));
  const used = shared ? given.slice(0, 1) : given;
  const rank = used.reduce((sum, { factors }) => sum + factors.rank, 0);
  const { experts, scale } = first;
  const inputs = first.a.length / (first.rank * experts);
  const a = new Float32Array(experts * rank * inputs);
  const b = new Float32Array(experts * outputs * rank);
  let at = 0; // the first rank of the tensor
  for (const { factors, rowOf } of given) {
    const own = factors.rank;
    const rows = factors.b.length / (own * experts);
    const factor = factors.scale / scale;
    for (let expert = 0; expert < experts; expert++) {
      const from = expert * own * inputs;
      a.set(factors.a.subarray(from, from + own * inputs), (expert * rank + at) * inputs);
      for (let row = 0; row < rows; row++) {
        const to = (expert * outputs + rowOf(row)) * rank + at;
        for (let k = 0; k < own; k++) {
          b[to + k] = factor * factors.b[(expert * rows + row) * own + k]!;
        }
      }
    }
    if (!shared) at += own;
  }
  return { rank, experts, scale, a, b };
}

/** The pair of a tensor that has some rows of a parameter: the inverse of combined(). */
export function selected(from: Factors, rows: number, rowOf: (row: number) => number): Factors {
  const { rank, experts, scale } = from;
  const outputs = from.b.length / (rank * experts);
  const inputs = from.a.length / (rank * experts);
  const b = new Float32Array(experts * rows * rank);
  for (let expert = 0; expert < experts; expert++) {
    for (let row = 0; row < rows; row++) {
      const start = (expert * outputs + rowOf(row)) * rank;
      b.set(from.b.subarray(start, start + rank), (expert * rows + row) * rank);
    }
  }
  const kept = outputs === rows ? [] : usedRanks(b, rank);
  if (kept.length === 0 || kept.length === rank) return { rank, experts, scale, a: from.a, b };
  const a = new Float32Array(experts * kept.length * inputs);
  kept.forEach((k, i) => {
    for (let expert = 0; expert < experts; expert++) {
      const start = (expert * rank + k) * inputs;
      a.set(from.a.subarray(start, start + inputs), (expert * kept.length + i) * inputs);
    }
  });
  const trimmed = new Float32Array(experts * rows * kept.length);
  for (let row = 0; row < experts * rows; row++) {
    kept.forEach((k, i) => {
      trimmed[row * kept.length + i] = b[row * rank + k]!;
    });
  }
  return { rank: kept.length, experts, scale, a, b: trimmed };
}

/** The ranks that B uses. combined() leaves the others zero, for the rows of other tensors. */
function usedRanks(b: Float32Array, rank: number): number[] {
  const used = new Set<number>();
  for (let i = 0; i < b.length && used.size < rank; i++) if (b[i] !== 0) used.add(i % rank);
  return [...used].sort((x, y) => x - y);
}

/** The pair of the transposed update, (B A)ᵀ = Aᵀ Bᵀ. */
export function swapped({ rank, experts, scale, a, b }: Factors): Factors {
  const eachTransposed = (values: Float32Array, y: (length: number) => number) => {
    const result = new Float32Array(values.length);
    const length = values.length / experts;
    for (let at = 0; at < values.length; at += length)
      result.set(transposed(values.subarray(at, at + length), y(length)), at);
    return result;
  };
  const newA = eachTransposed(b, () => rank);
  const newB = eachTransposed(a, (length) => length / rank);
  return { rank, experts, scale, a: newA, b: newB };
}

/** [x][y] as [y][x] */
export function transposed(values: Float32Array, y: number): Float32Array {
  const x = values.length / y;
  const result = new Float32Array(values.length);
  for (let i = 0; i < x; i++) for (let j = 0; j < y; j++) result[j * x + i] = values[i * y + j]!;
  return result;
}
