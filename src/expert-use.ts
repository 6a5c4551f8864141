/** How evenly the tokens of a layer used its experts. Shares are fractions of all choices of the layer. */
export interface ExpertUse {
  leastUsed: number;
  mostUsed: number;
  /** Standard deviation of the shares. */
  standardDeviation: number;
  /** Entropy of the shares in bits: log2 of the number of experts if all are used equally, 0 if a single one is. */
  entropy: number;
  /** Experts that no token used. */
  dead: number;
}

/** The use of the experts of a layer from the `experts` of a result; null if no token was counted. */
export function expertUse({ counts }: { readonly counts: readonly number[] }): ExpertUse | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const shares = counts.map((count) => count / total);
  const even = 1 / shares.length;
  const used = shares.filter((share) => share > 0);
  return {
    leastUsed: Math.min(...shares),
    mostUsed: Math.max(...shares),
    standardDeviation: Math.sqrt(
      shares.reduce((sum, share) => sum + (share - even) ** 2, 0) / shares.length,
    ),
    entropy: used.reduce((sum, share) => sum - share * Math.log2(share), 0),
    dead: shares.length - used.length,
  };
}
