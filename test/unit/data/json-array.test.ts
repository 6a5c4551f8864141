import { describe, expect, it } from 'vitest';
import { arrayElements } from '../../../src/data/json-array.js';

async function* linesOf(text: string) {
  for (const [i, line] of text.split('\n').entries()) yield { text: line, line: i + 1 };
}

async function elements(text: string) {
  const found = [];
  for await (const element of arrayElements(linesOf(text), 'a.json')) found.push(element);
  return found;
}

/** JSON values that are hard to cut out of a text. */
const VALUES = [
  { a: '[{"\\', b: [1, [2, { c: '}' }]] },
  'a, "quoted" \\ text with ] and }',
  [],
  {},
  -1.5e3,
  null,
  'é🙂\n',
];

describe('arrayElements', () => {
  it.each([undefined, 2, '\t\n'])('finds what JSON.parse finds, indented by %j', async (indent) => {
    const text = JSON.stringify(VALUES, null, indent);
    expect((await elements(text)).map((element) => JSON.parse(element.text))).toEqual(VALUES);
  });

  it('gives the line on which each element starts', async () => {
    const found = await elements('\n[\n  {\n    "a": 1\n  },\n  2, 3\n]\n');
    expect(found.map(({ line }) => line)).toEqual([3, 6, 6]);
  });

  it('accepts an empty array', async () => {
    expect(await elements(' [ \n ] ')).toEqual([]);
  });

  it.each([
    ['[1, 2', 'a.json:1: the array does not end'],
    ['[1, "2]', 'a.json:1: the array does not end'],
    ['[1,, 2]', 'a.json:1: there is no element before a comma'],
    ['[1,\n2,]', 'a.json:2: there is no element after the last comma'],
    ['[1] 2', 'a.json:1: there is text after the array'],
    ['[1]\n[2]', 'a.json:2: there is text after the array'],
    ['[1]]', 'a.json:1: there is text after the array'],
    ['[1}', 'a.json:1: the brackets do not match'],
  ])('refuses %j', async (text, message) => {
    await expect(elements(text)).rejects.toMatchObject({ code: 'DATASET_INVALID_JSON', message });
  });

  it('stops at an element that never ends', async () => {
    async function* endless() {
      yield { text: '[{', line: 1 };
      for (let line = 2; ; line++) yield { text: 'x'.repeat(1_000_000), line };
    }
    const read = async () => {
      for await (const _ of arrayElements(endless(), 'a.json'));
    };
    await expect(read()).rejects.toThrow(/the element from line 1 on does not end/);
  });
});
