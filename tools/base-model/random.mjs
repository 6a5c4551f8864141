// Seeded randomness: the same seed gives the same bytes on every machine and every Node version.

/** 32-bit FNV-1a of a string: a stable hash that decides which combinations are held out. */
export function hashText(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  // One more round of mixing: FNV's low bits follow the last characters too closely for a modulo.
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x45d9f3b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Small seeded generator (splitmix32). */
export class Random {
  #state;

  constructor(seed) {
    this.#state = hashText(`seed ${seed}`);
  }

  /** Uniform in [0, 1). */
  next() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296;
  }

  /** Uniform integer in [low, high], both ends included. */
  integer(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with probability p. */
  chance(p) {
    return this.next() < p;
  }

  /** One element. */
  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  /** `count` different elements in random order. */
  sample(list, count) {
    return this.shuffle([...list]).slice(0, count);
  }

  /** Shuffles in place and returns the list. */
  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(this.next() * (i + 1));
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }

  /** One element of [[weight, value], …], by weight. */
  weighted(entries) {
    let total = 0;
    for (const [weight] of entries) total += weight;
    let at = this.next() * total;
    for (const [weight, value] of entries) {
      at -= weight;
      if (at < 0) return value;
    }
    return entries[entries.length - 1][1];
  }
}
