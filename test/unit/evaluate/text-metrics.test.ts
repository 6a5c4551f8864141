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
import { seededRandom } from '../../../src/random.js';

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

  it('gives the values of the paper', async () => {
    expect(await rougeL('police kill the gunman', reference)).toBe(0.75);
    expect(await rougeL('the gunman kill police', reference)).toBe(0.5);
    expect(await rougeL('the gunman police killed', reference)).toBe(0.5);
  });

  it('weighs recall by beta', async () => {
    // LCS 2: recall 2/4, precision 2/2
    expect(await rougeL('police killed', reference)).toBeCloseTo(2 / 3, 12);
    expect(await rougeL('police killed', reference, { beta: 2 })).toBeCloseTo(
      (5 * 0.5) / (0.5 + 4),
      12,
    );
    expect(await rougeL('police killed', reference, { beta: 1e6 })).toBeCloseTo(0.5, 6);
  });

  it('is 1 for two empty texts and 0 for one', async () => {
    expect(await rougeL('', '')).toBe(1);
    expect(await rougeL('', reference)).toBe(0);
    expect(await rougeL('police', '?!')).toBe(0);
    expect(await rougeL('nothing', 'shared')).toBe(0);
  });

  it('leaves the event loop free for huge texts', async () => {
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 1);
    const text = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 80_000 }, () => Math.floor(random() * 3000)).join(' ');
    };
    expect(await rougeL(text(1), text(2))).toBeGreaterThan(0.01);
    expect(await rougeL('the '.repeat(80_000), 'the '.repeat(40_000))).toBeCloseTo(2 / 3, 12);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  });

  it('can be aborted', async () => {
    const signal = AbortSignal.abort();
    await expect(rougeL('a b', 'a b', { signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('cosine', () => {
  it('is the cosine of the angle, and 0 for a zero vector', () => {
    expect(cosine(Float32Array.of(1, 0), Float32Array.of(1, 1))).toBeCloseTo(Math.SQRT1_2, 6);
    expect(cosine(Float32Array.of(2, 2), Float32Array.of(-1, -1))).toBeCloseTo(-1, 12);
    expect(cosine(Float32Array.of(0, 0), Float32Array.of(1, 1))).toBe(0);
  });
});
