import { expect, it } from 'vitest';
import { GrowingList } from '../../../src/data/growing-list.js';

it('GrowingList keeps all values in order, beyond the size of a part', () => {
  const list = new GrowingList();
  expect([...list]).toEqual([]);
  const values = Array.from({ length: 2 ** 16 + 3 }, (_, i) => i * 7);
  for (const value of values) list.push(value);
  expect(list.length).toBe(values.length);
  expect([...list]).toEqual(values);
  expect([list.at(0), list.at(2 ** 16), list.at(2 ** 16 + 2)]).toEqual([
    ...[0, 7 * 2 ** 16, 7 * (2 ** 16 + 2)],
  ]);
});
