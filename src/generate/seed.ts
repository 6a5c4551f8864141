const MASK = (1n << 64n) - 1n;

/** The finalizer of SplitMix64 (Steele, Lea and Flood 2014). */
function mix(value: bigint): bigint {
  let z = (value + 0x9e3779b97f4a7c15n) & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

/**
 * The seed of a sequence of `generate()`: the option `seed` for the first sample of the first prompt, otherwise 53 bits
 * of a hash of the option, the prompt index and the sample index. It does not depend on `n` or on the number of prompts.
 * `generate()` with this seed, the same prompt and no other one gives the same text.
 */
export function sequenceSeed(seed: number, promptIndex: number, sampleIndex: number): number {
  if (promptIndex === 0 && sampleIndex === 0) return seed;
  const hash = mix(mix(mix(BigInt(seed)) ^ BigInt(promptIndex)) ^ BigInt(sampleIndex));
  return Number(hash >> 11n);
}
