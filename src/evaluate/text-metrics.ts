// Metrics that compare an answer with a reference, both as text. All are between 0 and 1.
import { pacer } from '../data/pause.js';
import { commonSubsequenceLength } from './common-subsequence.js';

/** Scripts that are written without spaces: each of their characters counts as a word. */
const UNSPACED =
  '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}]';
const WORD = new RegExp(`${UNSPACED}|(?:(?!${UNSPACED})[\\p{L}\\p{M}\\p{N}])+`, 'gu');

/** Whether a character belongs to a script that is written without spaces. */
export const isUnspaced = (character: string): boolean => new RegExp(UNSPACED, 'u').test(character);

/** The words of a text: runs of letters and digits in lower case, as ROUGE counts them. */
export const wordsOf = (text: string): string[] =>
  text.normalize('NFC').toLowerCase().match(WORD) ?? [];

/**
 * The normalization of SQuAD's evaluation script (Rajpurkar et al. 2016, arXiv 1606.05250): lower case, without punctuation,
 * without the articles a, an and the, with single spaces. The script only knows the punctuation of ASCII; here that of every
 * language is removed.
 */
export function normalizeAnswer(text: string): string {
  return text
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\p{P}$+<=>^`|~]/gu, '')
    .replace(/(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
}

/** 1 if the answer equals the reference after SQuAD's normalization, otherwise 0. */
export const exactMatch = (answer: string, reference: string): number =>
  normalizeAnswer(answer) === normalizeAnswer(reference) ? 1 : 0;

/**
 * F1 of the words that answer and reference share, counted with repetitions, after SQuAD's normalization. If one of them has
 * no word: 1 if the other one has none either, otherwise 0, as in SQuAD 2.0.
 */
export function tokenF1(answer: string, reference: string): number {
  const [given, expected] = [answer, reference].map((text) =>
    normalizeAnswer(text).split(' ').flatMap(spacedWords),
  ) as [string[], string[]];
  if (given.length === 0 || expected.length === 0) return given.length === expected.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of expected) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of given) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    shared += 1;
  }
  return (2 * shared) / (given.length + expected.length);
}

/** A word between spaces; in a script without spaces, its characters, as MLQA counts them (arXiv 1910.07475). */
const spacedWords = (word: string): string[] =>
  word.match(new RegExp(`${UNSPACED}|(?:(?!${UNSPACED}).)+`, 'gu')) ?? [];

/** Words that both have, divided by words that either has, each counted once; 1 if neither has a word. */
export function jaccard(answer: string, reference: string): number {
  const [given, expected] = [new Set(wordsOf(answer)), new Set(wordsOf(reference))];
  let shared = 0;
  for (const word of given) if (expected.has(word)) shared += 1;
  const all = given.size + expected.size - shared;
  return all === 0 ? 1 : shared / all;
}

/**
 * ROUGE-L of one sentence (Lin 2004, aclanthology W04-1013, equations 2 to 4): with recall R and precision P of the longest
 * common subsequence of words, (1 + β²)·R·P / (R + β²·P). β = 1, as in Google's rouge_score, weighs both alike; a larger β
 * favours recall. Words are not stemmed. If one text has no word: 1 if the other one has none either, otherwise 0.
 * Texts of any length leave the event loop free.
 */
export async function rougeL(
  answer: string,
  reference: string,
  { beta = 1, signal }: { beta?: number; signal?: AbortSignal } = {},
): Promise<number> {
  const [given, expected] = [wordsOf(answer), wordsOf(reference)];
  if (given.length === 0 || expected.length === 0) return given.length === expected.length ? 1 : 0;
  const common = await commonSubsequenceLength(given, expected, pacer(signal));
  if (common === 0) return 0;
  const [recall, precision] = [common / expected.length, common / given.length];
  return ((1 + beta ** 2) * recall * precision) / (recall + beta ** 2 * precision);
}

/** Cosine of two vectors, between -1 and 1; 0 if one of them is zero. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, squaresA, squaresB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    squaresA += a[i]! ** 2;
    squaresB += b[i]! ** 2;
  }
  return squaresA === 0 || squaresB === 0 ? 0 : dot / Math.sqrt(squaresA * squaresB);
}
