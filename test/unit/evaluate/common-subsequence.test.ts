import { describe, expect, it } from 'vitest';
import { commonSubsequenceLength } from '../../../src/evaluate/common-subsequence.js';
import { seededRandom } from '../../../src/random.js';

/** The dynamic programme with its whole table. */
function plainLength(a: readonly string[], b: readonly string[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++)
      table[i]![j] =
        a[i - 1] === b[j - 1]
          ? table[i - 1]![j - 1]! + 1
          : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
  return table[a.length]![b.length]!;
}

const length = (a: readonly string[], b: readonly string[]) =>
  commonSubsequenceLength(a, b, () => undefined);

describe('commonSubsequenceLength', () => {
  it('equals the dynamic programme for random texts of any length', async () => {
    const random = seededRandom(7);
    const upTo = (most: number) => Math.floor(random() * (most + 1));
    for (let i = 0; i < 1500; i++) {
      const words = 1 + upTo(i % 3 === 0 ? 2 : 40);
      const text = () => Array.from({ length: upTo(150) }, () => `word${upTo(words)}`);
      const [a, b] = [text(), text()];
      expect(await length(a, b), `${a.join(' ')} / ${b.join(' ')}`).toBe(plainLength(a, b));
    }
  });

  it.each([29, 30, 31, 59, 60, 61, 90])(
    'carries over the ends of blocks with %i words',
    async (n) => {
      const same = Array.from({ length: n }, () => 'a');
      const different = Array.from({ length: n }, (_, i) => `word${i}`);
      expect(await length(same, same)).toBe(n);
      expect(await length(different, different)).toBe(n);
      expect(await length(different, [...different].reverse())).toBe(1);
      expect(await length(['b', ...same], [...same, 'b'])).toBe(n);
      expect(await length(same, [])).toBe(0);
    },
  );

  it('pauses between words', async () => {
    let pauses = 0;
    const pause = () => Promise.resolve(void pauses++);
    expect(await commonSubsequenceLength(['a', 'x', 'b'], ['a', 'b'], pause)).toBe(2);
    expect(pauses).toBe(2);
  });
});
