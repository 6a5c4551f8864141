/** Uniform numbers in [0, 1) with 32 random bits, from a Weyl sequence and the finalizer of MurmurHash3. */
export function seededRandom(seed: number): () => number {
  let state = mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) + 0x9e3779b9);
  return () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state) / 2 ** 32;
  };
}

/** The 32-bit finalizer of MurmurHash3 (Austin Appleby, public domain): every input bit affects every output bit. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
