import { describe, expect, it } from 'vitest';
import { evaluateSchema } from '../../../src/config/evaluate.js';
import { parseConfig } from '../../../src/config/parse.js';
import { createTasks } from '../../../src/evaluate/create-tasks.js';
import { continuation } from '../../../src/evaluate/rows.js';
import { valueOver } from '../../../src/evaluate/sums.js';
import type { Task, TaskScore } from '../../../src/evaluate/task.js';

const taskOf = (task: unknown): Task =>
  createTasks(
    evaluateSchema.parse({ dataset: [], systems: [{ model: 'm' }], tasks: [task] }).tasks,
  )[0]!;
const rowOf = (row: object, prompt: string | null = 'Why?') => ({
  ...{ index: 0, id: null, where: 'row 1', prompt, references: [], row, target: null },
});
/** A sequence with targets of these log-probabilities; token 0 ends an answer. */
const sequenceOf = (logs: number[], tokens = logs.map((_, i) => i + 1), correct = 0) => ({
  ...{ index: 0, tokens: 9, targets: logs.length, correct, weight: logs.length, loss: null },
  logProbability: logs.reduce((sum, log) => sum + log, 0),
  targetTokens: Int32Array.from(tokens),
  targetLogProbabilities: Float32Array.from(logs),
});
const ends = new Set([0]);

describe('perplexity', () => {
  const task = taskOf('perplexity');
  const score = (logs: number[], correct: number) =>
    task.likelihood!.score(rowOf({}), [sequenceOf(logs, undefined, correct)], ends);

  it('weighs every target alike, also over rows of different lengths', () => {
    const scores = [score([-1, -3], 1), score([-2, -2, -2, -2, -2, -2], 3)];
    expect(scores.map(({ value }) => value)).toEqual([Math.exp(2), Math.exp(2)]);
    const uneven = [score([-1, -1], 2), score([-3, -3, -3, -3, -3, -3], 0)];
    const [perplexity, accuracy] = task.measures;
    expect(valueOver(perplexity!, uneven)).toBeCloseTo(Math.exp((2 * 1 + 6 * 3) / 8), 12);
    expect(perplexity!.higherIsBetter).toBe(false);
    expect(valueOver(accuracy!, uneven)).toBe(2 / 8);
  });

  it('needs a reference or a whole row', () => {
    expect(() => task.check(rowOf({}))).toThrow('has no reference');
  });
});

describe('multiple-choice', () => {
  const task = taskOf('multiple-choice');
  const choices = ['no', 'certainly'];
  const score = (first: number[], second: number[], answer: unknown = 1): TaskScore =>
    task.likelihood!.score(
      rowOf({ choices, answer }),
      [sequenceOf(first), sequenceOf(second)],
      ends,
    );

  it('takes the choice with the highest probability, as it is, per token and per byte', () => {
    // sums -2 and -3; per token -2 and -1; per byte -1 and -1/3
    expect(score([-2], [-1, -1, -1])).toEqual({
      value: 0,
      normalized: { perToken: 1, perByte: 1 },
    });
    // sums -1 and -9; per token -1 and -3; per byte -1/2 and -1
    expect(score([-1], [-3, -3, -3], 0)).toEqual({
      ...{ value: 1, normalized: { perToken: 1, perByte: 1 } },
    });
  });

  it('is wrong if several choices are equally likely', () => {
    expect(score([-1], [-1], 0)).toMatchObject({ value: 0, normalized: { perToken: 0 } });
  });

  it('does not count the end of the answer, or what follows it', () => {
    const row = rowOf({ choices, answer: 0 });
    const ended = sequenceOf([-1, -50, -1], [7, 0, 8]);
    const other = sequenceOf([-2, 0, 0], [7, 0, 8]);
    expect(task.likelihood!.score(row, [ended, other], ends).value).toBe(1);
  });

  it.each([
    [{ choices, answer: 1 }, true],
    [{ choices, answer: 'certainly' }, true],
    [{ choices, answer: 'B' }, true],
    [{ choices, answer: '1' }, true],
    [{ choices: { text: choices, label: ['1', '2'] }, answer: '2' }, true],
    [{ choices: { text: choices, label: ['1', '2'] }, answer: '3' }, false],
    [{ choices, answer: 2 }, false],
    [{ choices, answer: 'C' }, false],
    [{ choices }, false],
    [{ choices: ['one'], answer: 0 }, false],
    [{ choices: ['one', ''], answer: 0 }, false],
    [{ answer: 0 }, false],
  ])('reads %j: %s', (row, isFine) => {
    const check = () => task.check(rowOf(row));
    if (isFine) {
      check();
      const scored = [sequenceOf([-9]), sequenceOf([-1])];
      expect(task.likelihood!.score(rowOf(row), scored, ends).value).toBe(1);
    } else expect(check).toThrow(expect.objectContaining({ code: 'DATASET_INVALID_ROW' }));
  });

  it('needs a prompt', () => {
    expect(() => task.check(rowOf({ choices, answer: 0 }, null))).toThrow('has no prompt');
  });
});

describe('continuation', () => {
  it('separates a text from its prompt by a space, and adds an answer to messages', () => {
    const completionOf = (prompt: string) => continuation(prompt, 'yes').row;
    expect(completionOf('A:')).toEqual({ prompt: 'A:', completion: ' yes' });
    expect(completionOf('A: ')).toEqual({ prompt: 'A: ', completion: 'yes' });
    expect(completionOf('')).toEqual({ prompt: '', completion: 'yes' });
    const messages = [{ role: 'user', content: 'Hi' }];
    expect(continuation({ messages, tools: null }, 'yes')).toEqual({
      row: { messages: [...messages, { role: 'assistant', content: 'yes' }], tools: null },
      loss: 'last-assistant',
    });
  });
});

describe('tasks that need a model', () => {
  it.each(['perplexity', 'multiple-choice', 'cosine'])('%s is refused without one', (type) => {
    const given = { dataset: [], systems: [{ outputs: 'a.jsonl' }], tasks: [type] };
    expect(() => parseConfig(evaluateSchema, given)).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ path: 'tasks.0' })] }),
    );
  });
});
