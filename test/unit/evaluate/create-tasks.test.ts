import { describe, expect, it } from 'vitest';
import { evaluateSchema } from '../../../src/config/evaluate.js';
import type { Scorer } from '../../../src/config/evaluate-tasks.js';
import { createTasks } from '../../../src/evaluate/create-tasks.js';
import type { Task } from '../../../src/evaluate/task.js';

const tasksOf = (...tasks: unknown[]): Task[] =>
  createTasks(evaluateSchema.parse({ dataset: [], systems: [{ outputs: 'a' }], tasks }).tasks);
const rowOf = (references: string[], row: object = {}) => ({
  ...{ index: 0, id: null, where: 'row 1', prompt: 'Why?', references, row, target: null },
});
const { signal: never } = new AbortController();
const score = (task: Task, text: string, row = rowOf(['yes', 'a cat']), signal = never) =>
  task.score!({ row, system: 'a', text }, signal);

describe('tasks that compare texts', () => {
  it('count the best of several references', async () => {
    const [exact, f1, rouge, jaccard] = tasksOf('exact-match', 'token-f1', 'rouge-l', 'jaccard');
    expect(await score(exact!, 'Yes!')).toEqual({ value: 1 });
    expect(await score(exact!, 'cat')).toEqual({ value: 1 });
    expect(await score(f1!, 'cat food')).toEqual({ value: 2 / 3 });
    expect(await score(rouge!, 'a dog')).toEqual({ value: 0.5 });
    expect(await score(jaccard!, 'a cat yes')).toEqual({ value: 2 / 3 });
  });

  it('need a reference', () => {
    for (const task of tasksOf('exact-match', 'token-f1', 'rouge-l', 'jaccard'))
      expect(() => task.check(rowOf([]))).toThrow(
        expect.objectContaining({ code: 'DATASET_INVALID_ROW' }),
      );
  });

  it('take beta of ROUGE-L', async () => {
    const [task] = tasksOf({ type: 'rouge-l', beta: 2 });
    const value = (5 * 0.5 * 1) / (0.5 + 4 * 1);
    expect(await score(task!, 'a', rowOf(['a b']))).toEqual({ value });
  });
});

describe('classification', () => {
  it('expects the label of the column, or that of the reference', () => {
    const [task] = tasksOf('classification');
    const pair = { expected: 'no', predicted: 'yes' };
    expect(score(task!, 'Yes.', rowOf(['yes'], { label: 'No' }))).toEqual({ value: 0, pair });
    expect(score(task!, 'No.', rowOf(['No. Rationale: yes']))).toMatchObject({ value: 1 });
    expect(score(task!, '', rowOf(['No']))).toMatchObject({ value: 0, pair: { predicted: null } });
  });

  it('refuses rows without a known label', () => {
    const [task] = tasksOf('classification');
    expect(() => task!.check(rowOf([], { label: 'green' }))).toThrow(/row 1: label: .*'green'/);
    expect(() => task!.check(rowOf(['green']))).toThrow(/has no column 'label', and its reference/);
  });

  it.each([[['Yes', 'yes']], [{ yes: ['maybe'], no: ['Maybe'] }], [['yes', ' ']]])(
    'refuses the labels %j',
    (labels) => {
      expect(() => tasksOf({ type: 'classification', labels })).toThrow(/one label|not empty/);
    },
  );

  it('takes other labels, with synonyms, from another column', () => {
    const [task] = tasksOf({
      ...{ type: 'classification', name: 'tone', labelField: 'tone' },
      labels: { positive: ['good'], negative: ['bad'] },
    });
    expect(score(task!, 'It is bad.', rowOf([], { tone: 'NEGATIVE' }))).toMatchObject({ value: 1 });
    expect(task!.measures.map(({ name, title }) => [name, title])).toEqual([
      ['tone.accuracy', 'tone: accuracy'],
      ['tone.macroF1', 'tone: macro F1'],
    ]);
  });
});

describe('json', () => {
  it('is 1 for an answer that fits the schema', () => {
    const [any, list] = tasksOf('json', { type: 'json', name: 'l', schema: { type: 'array' } });
    expect([score(any!, '{}'), score(any!, '{')]).toEqual([{ value: 1 }, { value: 0 }]);
    expect([score(list!, '[]'), score(list!, '{}')]).toEqual([{ value: 1 }, { value: 0 }]);
  });

  it('refuses an invalid schema', () => {
    expect(() => tasksOf({ type: 'json', schema: { type: 'what' } })).toThrow(
      expect.objectContaining({ code: 'JSON_SCHEMA_INVALID' }),
    );
  });
});

describe('custom', () => {
  const custom = (scorer: Scorer) => tasksOf({ type: 'custom', name: 'mine', score: scorer })[0]!;

  it('gets the answer with its row, and may be async', async () => {
    const task = custom(async ({ output, reference, references, prompt, index, system, row }) => {
      expect({ reference, references, prompt, index, system, row }).toEqual({
        ...{ reference: 'yes', references: ['yes', 'a cat'], prompt: 'Why?' },
        ...{ index: 0, system: 'a', row: {} },
      });
      return output.length;
    });
    expect(await score(task, 'four')).toEqual({ value: 4 });
    expect(
      await score(
        custom(() => true),
        '',
      ),
    ).toEqual({ value: 1 });
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [undefined], ['1'], [null]])(
    'refuses the score %s',
    async (value) => {
      await expect(
        score(
          custom(() => value as number),
          'x',
        ),
      ).rejects.toMatchObject({
        code: 'SCORE_INVALID',
        message: expect.stringContaining("'mine'"),
      });
    },
  );

  it('cannot change the references of other tasks', async () => {
    const references = ['yes'];
    const task = custom((input) => (input.references as string[]).splice(0).length);
    expect(await score(task, 'x', rowOf(references))).toEqual({ value: 1 });
    expect(references).toEqual(['yes']);
  });

  it('ends when it is aborted, even if the function does not', async () => {
    const controller = new AbortController();
    const task = custom(() => new Promise<number>(() => {}));
    const scored = score(task, 'x', rowOf(['yes']), controller.signal);
    controller.abort();
    await expect(scored).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('reports what it throws', async () => {
    const cause = new Error('no network');
    const failing = custom(() => {
      throw cause;
    });
    await expect(score(failing, 'x')).rejects.toMatchObject({
      code: 'SCORER_FAILED',
      message: expect.stringMatching(/'mine' .* row 1: no network/),
      cause,
    });
  });
});
