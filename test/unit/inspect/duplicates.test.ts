import { describe, expect, it } from 'vitest';
import { Duplicates } from '../../../src/inspect/duplicates.js';

const of = (...tokens: number[]) => Int32Array.from(tokens);

describe('Duplicates', () => {
  it('names the first row with the same tokens', () => {
    const found = new Duplicates();
    for (const [i, tokens] of [of(1, 2), of(1, 3), of(1, 2), of(12), of(1, 2)].entries()) {
      found.add(tokens, `a:${i + 1}`);
    }
    expect(found).toMatchObject({ rows: 2, remembered: 3 });
    expect(found.examples).toEqual([
      { where: 'a:3', detail: 'repeats a:1' },
      { where: 'a:5', detail: 'repeats a:1' },
    ]);
  });

  it('names rows of several files, and rows from memory', () => {
    const found = new Duplicates();
    const places = ['a-2:17', 'b:3', 'b:17', 'row 9'];
    for (const [i, where] of places.entries()) found.add(of(i), where);
    for (const [i] of places.entries()) found.add(of(i), 'c:1');
    expect(found.examples.map(({ detail }) => detail)).toEqual(
      places.map((where) => `repeats ${where}`),
    );
  });

  it('compares the tokens of a view, and stops remembering at the limit', () => {
    const found = new Duplicates(2);
    const view = of(0, 1, 2).subarray(1);
    for (const tokens of [of(1, 2), view, of(3), of(4), of(4), of(3)]) found.add(tokens, 'a:1');
    expect(found).toMatchObject({ rows: 2, remembered: 2 });
  });
});
