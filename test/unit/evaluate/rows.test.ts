import { describe, expect, it } from 'vitest';
import { evaluateSchema } from '../../../src/config/evaluate.js';
import { readEvaluationRows } from '../../../src/evaluate/rows.js';

const read = (dataset: object[], options: object = {}) => {
  const tasks = ['jaccard'];
  const systems = [{ outputs: 'a.jsonl' }];
  return readEvaluationRows(
    evaluateSchema.parse({ dataset, tasks, systems, ...options }),
    () => {},
  );
};
const talk = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
];

describe('readEvaluationRows', () => {
  it('finds prompt and reference in every format of a dataset', async () => {
    const { rows } = await read([
      { messages: [...talk, { role: 'assistant', content: 'Hello' }], id: 7 },
      { messages: talk },
      { prompt: 'One,', completion: ' two ' },
      { prompt: talk, completion: [{ role: 'assistant', content: 'Yes' }], id: 'x' },
      { instruction: 'Add', input: '1 2', output: '3' },
      {
        conversations: [
          { from: 'human', value: 'Hi' },
          { from: 'gpt', value: 'Ho' },
        ],
      },
      { prompt: 'Only a prompt' },
      { prompt: talk },
      { text: 'No marker' },
      { tokens: [1, 2] },
    ]);
    const user = (content: string) => ({ messages: [{ role: 'user', content }], tools: null });
    expect(rows.map(({ prompt, references }) => [prompt, references])).toEqual([
      [{ messages: talk, tools: null }, ['Hello']],
      [{ messages: talk, tools: null }, []],
      ['One,', ['two']],
      [{ messages: talk, tools: null }, ['Yes']],
      [user('Add\n\n1 2'), ['3']],
      [user('Hi'), ['Ho']],
      ['Only a prompt', []],
      [{ messages: talk, tools: null }, []],
      [null, []],
      [null, []],
    ]);
    expect(rows.slice(0, 4).map(({ index, id, where }) => [index, id, where])).toEqual([
      [0, '7', 'row 1'],
      [1, null, 'row 2'],
      [2, null, 'row 3'],
      [3, 'x', 'row 4'],
    ]);
  });

  it('splits texts at the last marker', async () => {
    const text = 'Q: one?\nA: No.\nQ: two?\nA: Yes. Rationale: …';
    const { rows } = await read([{ text }], { answerMarker: '\nA:' });
    expect(rows[0]).toMatchObject({
      prompt: 'Q: one?\nA: No.\nQ: two?\nA:',
      references: ['Yes. Rationale: …'],
    });
    await expect(read([{ text: 'Q: one?' }], { answerMarker: '\nA:' })).rejects.toMatchObject({
      code: 'DATASET_INVALID_ROW',
      message: expect.stringContaining('answerMarker "\\nA:"'),
    });
  });

  it('reads references from a column', async () => {
    const dataset = [
      { prompt: 'a', answers: ['b', 'c'] },
      { prompt: 'a', completion: 'z', answers: 'd' },
    ];
    const { rows } = await read(dataset, { referenceField: 'answers' });
    expect(rows.map(({ references }) => references)).toEqual([['b', 'c'], ['d']]);
    await expect(read([{ prompt: 'a' }], { referenceField: 'answers' })).rejects.toThrow(
      'row 1: answers: expected a text or a list of texts',
    );
  });

  it('leaves out bad rows on request, and keeps the positions of the others', async () => {
    const dataset = [{ question: 'no known column' }, { prompt: 'a' }, { prompt: '' }];
    await expect(read(dataset)).rejects.toMatchObject({ code: 'DATASET_INVALID_ROW' });
    const { rows, badRows } = await read(dataset, { badRows: 'skip' });
    expect(rows.map(({ index }) => index)).toEqual([1]);
    expect(badRows.map(({ index, where }) => [index, where])).toEqual([
      [0, 'row 1'],
      [2, 'row 3'],
    ]);
    await expect(read([dataset[0]!], { badRows: 'skip' })).rejects.toMatchObject({
      code: 'EVALUATION_NO_ROWS',
      message: expect.stringContaining('row 1'),
    });
    await expect(read([])).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
  });

  it('reads at most maxRows', async () => {
    const { rows } = await read([{ prompt: 'a' }, { prompt: 'b' }, { bad: 1 }], { maxRows: 2 });
    expect(rows).toHaveLength(2);
  });

  it('says which part of a row a model should find likely', async () => {
    const answer = { role: 'assistant', content: 'Hello', weight: 0 };
    const { rows } = await read([
      { messages: [...talk, answer] },
      { prompt: 'One,', completion: ' two ' },
      { text: 'Whole' },
      { tokens: [1, 2] },
      { prompt: 'No reference' },
    ]);
    const loss = 'last-assistant';
    const plain = { role: 'assistant', content: 'Hello' };
    expect(rows.map(({ target }) => target)).toEqual([
      { row: { messages: [...talk, plain], tools: null }, loss },
      { row: { prompt: 'One,', completion: ' two ' }, loss },
      { row: { text: 'Whole' }, loss: 'all' },
      { row: { kind: 'tokens', tokens: [1, 2] }, loss: 'all' },
      null,
    ]);
    const options = { referenceField: 'answers' };
    const other = await read([{ prompt: 'Two:', answers: ['three', 'four'] }], options);
    expect(other.rows[0]!.target!.row).toEqual({ prompt: 'Two:', completion: ' three' });
  });
});
