import { describe, expect, it } from 'vitest';
import {
  cosine,
  exactMatch,
  jaccard,
  normalizeAnswer,
  rougeL,
  tokenF1,
  wordsOf,
} from '../../../src/evaluate/text-metrics.js';

describe('normalizeAnswer', () => {
  it.each([
    ['The  Eiffel Tower!', 'eiffel tower'],
    ['An apple, a pear & the plum', 'apple pear plum'],
    ['theory', 'theory'],
    ["It's 3.5 %", 'its 35'],
    ['«Les Misérables»', 'les misérables'],
    ['Les Mise\u0301rables', 'les misérables'],
    ['a the an', ''],
    ['', ''],
  ])('%j becomes %j', (text, normalized) => {
    expect(normalizeAnswer(text)).toBe(normalized);
  });
});

describe('exactMatch', () => {
  it('ignores case, articles, punctuation and spaces', () => {
    expect(exactMatch(' the Eiffel-Tower.', 'Eiffeltower')).toBe(1);
    expect(exactMatch('Paris', 'Paris, France')).toBe(0);
    expect(exactMatch('', '')).toBe(1);
    expect(exactMatch('', 'Paris')).toBe(0);
  });
});

describe('tokenF1', () => {
  it('counts shared words with their repetitions', () => {
    // shared: cat, sat; 3 words in the answer (the article is dropped), 2 in the reference
    expect(tokenF1('The cat sat down', 'cat sat')).toBeCloseTo((2 * 2) / 5, 12);
    // 'b' is shared once only
    expect(tokenF1('b b c', 'b d')).toBeCloseTo(2 / 5, 12);
    expect(tokenF1('same words', 'words same')).toBe(1);
    expect(tokenF1('x', 'y')).toBe(0);
  });

  it('is 1 for two empty texts and 0 for one', () => {
    expect(tokenF1('', '')).toBe(1);
    expect(tokenF1('the', '!')).toBe(1);
    expect(tokenF1('', 'x')).toBe(0);
    expect(tokenF1('x', '')).toBe(0);
  });

  it('counts characters of scripts without spaces', () => {
    expect(tokenF1('北京市', '北京')).toBeCloseTo(4 / 5, 12);
  });
});

describe('wordsOf', () => {
  it('splits at everything but letters and digits', () => {
    expect(wordsOf("Don't stop: COVID-19 (naïve)")).toEqual([
      ...['don', 't', 'stop', 'covid', '19', 'naïve'],
    ]);
    expect(wordsOf('東京 tower')).toEqual(['東', '京', 'tower']);
    expect(wordsOf('हिन्दी')).toEqual(['हिन्दी']);
    expect(wordsOf('…')).toEqual([]);
  });
});

describe('jaccard', () => {
  it('divides shared by all words, each once', () => {
    expect(jaccard('a b b c', 'b c d')).toBe(2 / 4);
    expect(jaccard('Über', 'über')).toBe(1);
    expect(jaccard('', '')).toBe(1);
    expect(jaccard('a', '')).toBe(0);
  });
});

describe('rougeL', () => {
  // The example of Lin 2004, section 3.1: LCS of 3 in the first candidate and 2 in the second.
  const reference = 'police killed the gunman';

  it('gives the values of the paper', () => {
    expect(rougeL('police kill the gunman', reference)).toBe(0.75);
    expect(rougeL('the gunman kill police', reference)).toBe(0.5);
    expect(rougeL('the gunman police killed', reference)).toBe(0.5);
  });

  it('weighs recall by beta', () => {
    // LCS 2: recall 2/4, precision 2/2
    expect(rougeL('police killed', reference)).toBeCloseTo(2 / 3, 12);
    expect(rougeL('police killed', reference, 2)).toBeCloseTo((5 * 0.5) / (0.5 + 4), 12);
    expect(rougeL('police killed', reference, 1e6)).toBeCloseTo(0.5, 6);
  });

  it('is 1 for two empty texts and 0 for one', () => {
    expect(rougeL('', '')).toBe(1);
    expect(rougeL('', reference)).toBe(0);
    expect(rougeL('police', '?!')).toBe(0);
    expect(rougeL('nothing', 'shared')).toBe(0);
  });
});

describe('cosine', () => {
  it('is the cosine of the angle, and 0 for a zero vector', () => {
    expect(cosine(Float32Array.of(1, 0), Float32Array.of(1, 1))).toBeCloseTo(Math.SQRT1_2, 6);
    expect(cosine(Float32Array.of(2, 2), Float32Array.of(-1, -1))).toBeCloseTo(-1, 12);
    expect(cosine(Float32Array.of(0, 0), Float32Array.of(1, 1))).toBe(0);
  });
});
