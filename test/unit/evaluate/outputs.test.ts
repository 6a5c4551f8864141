import { writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { readOutputs } from '../../../src/evaluate/outputs.js';
import { folderPerTest } from '../../folder-per-test.js';

const at = folderPerTest();
const row = (index: number, id: string | null, reference = `answer ${index}`) => ({
  ...{ index, id, where: `row ${index + 1}`, prompt: 'a', row: {} },
  references: [reference],
  target: null,
});
const rows = [row(0, 'a'), row(1, 'b'), row(3, 'c')];
let path: string;
beforeEach(() => {
  path = at('outputs.jsonl');
});

const read = (lines: object[], options: object = {}) => {
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const defaults = {
    outputField: 'output',
    idField: 'id',
    skipped: new Set([2]),
    maxRows: undefined,
  };
  return readOutputs(path, rows, { ...defaults, ...options });
};
const problems = (lines: object[]) =>
  read(lines).then(
    () => [],
    (error) => error.problems.map((each: { message: string }) => each.message),
  );

describe('readOutputs', () => {
  it('matches outputs by index, by id and by order', async () => {
    const expected = new Map([
      [0, 'x'],
      [1, 'y'],
      [3, 'z'],
    ]);
    const texts = ['z', 'x', 'y'];
    const byIndex = [3, 0, 1].map((index, i) => ({ index, output: texts[i] }));
    expect((await read(byIndex)).outputs).toEqual(expected);
    const asText = byIndex.map((each) => ({ ...each, index: `${each.index}` }));
    expect((await read(asText)).outputs).toEqual(expected);
    const byId = ['c', 'a', 'b'].map((id, i) => ({ id, output: texts[i] }));
    expect((await read(byId)).outputs).toEqual(expected);
    // the row with index 2 is left out of the evaluation
    const inOrder = ['x', 'y', 'left out', 'z'].map((output) => ({ output }));
    expect((await read(inOrder)).outputs).toEqual(expected);
  });

  it('reads the samples of an earlier evaluation, and any column', async () => {
    const sample = { index: 0, sample: 0, reference: 'answer 0', prompt: [], output: 'x' };
    expect((await read([sample])).outputs.get(0)).toBe('x');
    const named = await read([{ index: 1, generated: 'y' }], { outputField: 'generated' });
    expect(named.outputs.get(1)).toBe('y');
  });

  it('ignores outputs of rows that maxRows leaves out', async () => {
    const expected = new Map([[0, 'x']]);
    const later = [
      { index: 0, id: 'a', output: 'x' },
      { index: 4, id: 'd', output: 'y' },
    ];
    expect((await read(later, { maxRows: 4 })).outputs).toEqual(expected);
    const byId = later.map(({ index: _, ...each }) => each);
    expect((await read(byId, { maxRows: 4 })).outputs).toEqual(expected);
  });

  it('names rows without an output', async () => {
    const { missing } = await read([{ index: 1, output: '' }]);
    expect(missing.map(({ index }) => index)).toEqual([0, 3]);
    const written = [
      { index: 0, output: null },
      { index: 1, output: 'y' },
      { index: 3, output: null },
    ];
    expect((await read(written)).missing.map(({ index }) => index)).toEqual([0, 3]);
    expect((await read(written.map(({ output }) => ({ output })))).missing[0]!.index).toBe(0);
  });

  it('names everything that does not match', async () => {
    expect(
      await problems([
        { index: 0, output: 'x' },
        { index: 0, output: 'y' },
        { index: 9, output: 'x' },
        { id: 'nobody', output: 'x' },
        { index: '', output: 'x' },
        { index: [3], output: 'x' },
        { index: '0x3', output: 'x' },
        { index: null, output: 'x' },
        { index: 1 },
        { index: 1, output: 'x', reference: 'another' },
        [],
      ]),
    ).toEqual([
      'a second output for row 1',
      'no row of the dataset has the index 9',
      "no row of the dataset has the id 'nobody'",
      'index: expected a number from 0 but received an empty text',
      'index: expected a number from 0 but received an array',
      "index: expected a number from 0 but received '0x3'",
      "some outputs have an index or the column 'id', and others have neither",
      "expected the column 'output' with a text or null but received nothing",
      'its reference is not that of row 2',
      'expected an object but received an empty array',
    ]);
  });

  it('refuses ids that several rows have, and more outputs than rows', async () => {
    const doubled = [row(0, 'a'), row(1, 'a')];
    writeFileSync(path, '{"id": "a", "output": "x"}\n');
    const options = {
      outputField: 'output',
      idField: 'id',
      skipped: new Set<number>(),
      maxRows: undefined,
    };
    await expect(readOutputs(path, doubled, options)).rejects.toThrow(
      "several rows of the dataset have the id 'a'",
    );
    expect(await problems(['a', 'b', 'c', 'd', 'e'].map((output) => ({ output })))).toEqual([
      'no row of the dataset has the index 4',
    ]);
  });
});
