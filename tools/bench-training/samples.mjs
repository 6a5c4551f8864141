// Training data of random tokens, in full rows or in rows with the lengths of conversations.
import { Random } from '../base-model/random.mjs';

/** Standard normal (Box and Muller). */
const normal = (random) =>
  Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());

/**
 * Lengths like those of chat data: log-normal with a median of three tenths of `sequence`, most of them shorter than
 * half of it, a few as long as it is.
 */
export function raggedLengths(count, sequence, seed) {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const length = Math.round(0.3 * sequence * Math.exp(0.8 * normal(random)));
    return Math.min(sequence, Math.max(Math.min(8, sequence), length));
  });
}

/** Rows of tokens. In full rows every token except the first carries a loss, in ragged rows the tokens of an answer. */
export function makeSamples({ count, sequence, vocabularySize, ragged, seed }) {
  const random = new Random(seed + 1);
  const lengths = ragged
    ? raggedLengths(count, sequence, seed)
    : Array.from({ length: count }, () => sequence);
  return lengths.map((length) => {
    const tokens = Int32Array.from({ length }, () => random.integer(0, vocabularySize - 1));
    if (!ragged) return { tokens };
    const prompt = Math.max(1, Math.floor(length * (0.2 + 0.4 * random.next())));
    return { tokens, mask: Uint8Array.from({ length }, (_, i) => (i < prompt ? 0 : 1)) };
  });
}
