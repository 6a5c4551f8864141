// Byte-level byte-pair encoding (arXiv 1508.07909, GPT-2's alphabet), split as llama.cpp's pre-tokenizer 'qwen2' does.
import { BYTE_ALPHABET } from '../../dist/bench/suite/byte-alphabet.js';

const preTokenizer =
  /'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/** Splits text into words. No merge crosses a word boundary. */
export const splitWords = (text) => text.match(preTokenizer) ?? [];

const byteOf = new Map(BYTE_ALPHABET.map((letter, byte) => [letter, byte]));

/** The UTF-8 bytes of a text as letters of the alphabet. */
export const toLetters = (text) =>
  Array.from(Buffer.from(text, 'utf8'), (byte) => BYTE_ALPHABET[byte]);

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const pairKey = (left, right) => `${left} ${right}`; // the alphabet has no space

/** Replaces every left, right by left + right. */
function mergePair(symbols, left, right) {
  const merged = [];
  for (let i = 0; i < symbols.length; i++) {
    if (i + 1 < symbols.length && symbols[i] === left && symbols[i + 1] === right) {
      merged.push(left + right);
      i++;
    } else {
      merged.push(symbols[i]);
    }
  }
  return merged;
}

/**
 * Learns merges from texts until the vocabulary has `vocabularySize` tokens or no pair is left that occurs `minCount`
 * times. Ties go to the pair that sorts first, so the result depends on the texts only.
 *
 * @param {Iterable<string>} texts
 * @param {{ vocabularySize: number, specialTokens: string[], minCount?: number }} options
 * @returns {{ pre: string, tokens: string[], tokenTypes: number[], merges: string[] }} tokens: 256 bytes in code-point
 *   order of their letters, merges, then the special ones; tokenTypes: GGUF's 1 normal, 3 control.
 */
export function trainBpe(texts, { vocabularySize, specialTokens, minCount = 2 }) {
  const mergeCount = vocabularySize - BYTE_ALPHABET.length - specialTokens.length;
  if (mergeCount < 0) {
    throw new RangeError(
      `expected vocabularySize of at least ${BYTE_ALPHABET.length + specialTokens.length} but received ${vocabularySize}`,
    );
  }
  const counts = new Map();
  for (const text of texts) {
    for (const word of splitWords(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = [...counts]
    .sort(([a], [b]) => compare(a, b))
    .map(([word, count]) => ({ symbols: toLetters(word), count }));

  const pairs = new Map(); // pair -> { left, right, count, words: indices of the words that may hold it }
  const add = (symbols, count, index) => {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const key = pairKey(symbols[i], symbols[i + 1]);
      let pair = pairs.get(key);
      if (!pair) {
        pair = { left: symbols[i], right: symbols[i + 1], count: 0, words: new Set() };
        pairs.set(key, pair);
      }
      pair.count += count;
      if (count > 0) pair.words.add(index);
    }
  };
  for (const [index, { symbols, count }] of words.entries()) add(symbols, count, index);

  const tokens = [...BYTE_ALPHABET].sort(compare);
  const known = new Set(tokens);
  const merges = [];
  while (merges.length < mergeCount) {
    let best;
    let bestKey;
    for (const [key, pair] of pairs) {
      if (pair.count < minCount) continue;
      if (
        !best ||
        pair.count > best.count ||
        (pair.count === best.count && compare(key, bestKey) < 0)
      ) {
        best = pair;
        bestKey = key;
      }
    }
    if (!best) break;
    const { left, right } = best;
    for (const index of [...best.words]) {
      const word = words[index];
      add(word.symbols, -word.count, index);
      word.symbols = mergePair(word.symbols, left, right);
      add(word.symbols, word.count, index);
    }
    pairs.delete(bestKey);
    merges.push(bestKey);
    // Two merges can spell the same token; it is listed once.
    if (!known.has(left + right)) {
      known.add(left + right);
      tokens.push(left + right);
    }
  }
  const tokenTypes = [...tokens.map(() => 1), ...specialTokens.map(() => 3)];
  return { pre: 'qwen2', tokens: [...tokens, ...specialTokens], tokenTypes, merges };
}

/**
 * An encoder for a trained vocabulary. Text that spells a special token becomes that token.
 * @returns {{ encode(text: string): number[], decode(ids: Iterable<number>): string }}
 */
export function createEncoder({ tokens, tokenTypes, merges }) {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const ranks = new Map(merges.map((merge, rank) => [merge, rank]));
  const specials = tokens.filter((_, id) => tokenTypes[id] === 3);
  const quote = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const splitSpecials =
    specials.length > 0 ? new RegExp(`(${specials.map(quote).join('|')})`) : /(?!)/;
  const cache = new Map();

  const encodeWord = (word) => {
    let symbols = toLetters(word);
    for (;;) {
      let best = Infinity;
      let at = -1;
      for (let i = 0; i + 1 < symbols.length; i++) {
        const rank = ranks.get(pairKey(symbols[i], symbols[i + 1])) ?? Infinity;
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) return symbols.map((symbol) => ids.get(symbol));
      symbols = mergePair(symbols, symbols[at], symbols[at + 1]);
    }
  };
  return {
    encode(text) {
      const output = [];
      for (const part of text.split(splitSpecials)) {
        if (specials.includes(part)) {
          output.push(ids.get(part));
          continue;
        }
        for (const word of splitWords(part)) {
          if (!cache.has(word)) cache.set(word, encodeWord(word));
          for (const id of cache.get(word)) output.push(id);
        }
      }
      return output;
    },
    decode(list) {
      const bytes = [];
      for (const id of list) {
        if (tokenTypes[id] === 3) bytes.push(...Buffer.from(tokens[id], 'utf8'));
        else for (const letter of tokens[id]) bytes.push(byteOf.get(letter));
      }
      return Buffer.from(bytes).toString('utf8');
    },
  };
}
