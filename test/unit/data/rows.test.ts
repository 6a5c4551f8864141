import { describe, expect, it } from 'vitest';
import { shapeRow } from '../../../src/data/rows.js';

const errorOf = (row: unknown): string => {
  try {
    shapeRow(row, 'a.jsonl:7');
  } catch (error) {
    expect(error).toMatchObject({ code: 'DATASET_INVALID_ROW' });
    return (error as Error).message;
  }
  throw new Error('expected an error');
};

describe('shapeRow', () => {
  it('recognizes the four shapes, and ignores other columns', () => {
    expect(shapeRow({ messages: [{ role: 'user', content: 'x' }], id: 3 }, 'a').shape).toBe('chat');
    expect(shapeRow({ prompt: '', completion: 'x', source: 'y' }, 'a').shape).toBe('completion');
    expect(shapeRow({ text: 'x' }, 'a').shape).toBe('text');
    expect(shapeRow({ tokens: [1, 2], mask: [0, 1] }, 'a').shape).toBe('tokens');
    expect(shapeRow({ tokens: Int32Array.of(1), mask: Uint8Array.of(1) }, 'a').shape).toBe(
      'tokens',
    );
  });

  it('keeps other keys of a message for the template', () => {
    const message = { role: 'assistant', content: null, tool_calls: [{ name: 'f' }] };
    const { row } = shapeRow({ messages: [message], tools: [{ name: 'f' }] }, 'a');
    expect(row).toEqual({ messages: [message], tools: [{ name: 'f' }] });
  });

  it.each([
    [null, 'a.jsonl:7: expected an object but received null'],
    [[1], 'a.jsonl:7: expected an object but received an array'],
    [
      { question: 'x' },
      'a.jsonl:7: expected messages, prompt and completion, text, or tokens but received the fields question',
    ],
    [
      { text: 'x', prompt: 'y' },
      'a.jsonl:7: expected a row of one shape but received prompt/completion and text',
    ],
    [{ prompt: 'x' }, 'a.jsonl:7: completion: expected a string but received nothing'],
    [{ text: 3 }, 'a.jsonl:7: text: expected a string but received 3'],
    [
      { messages: [] },
      'a.jsonl:7: messages: expected at least 1 items but received an empty array',
    ],
    [
      { messages: [{ role: 'user', content: null }] },
      'a.jsonl:7: messages.0.content: expected a text, or null together with e.g. tool_calls, but received null',
    ],
    [
      { messages: [{ content: 'x' }] },
      'a.jsonl:7: messages.0.role: expected a string but received nothing',
    ],
    [
      { tokens: [1, 2], mask: [1] },
      'a.jsonl:7: mask: expected 2 values, one per token, but received 1',
    ],
    [
      { tokens: [1, 2], mask: Uint8Array.of(0, 2) },
      'a.jsonl:7: mask.1: expected 0 or 1 but received 2',
    ],
    [
      { tokens: [1, 2], weights: [0, 1, 1] },
      'a.jsonl:7: weights: expected 2 values, one per token, but received 3',
    ],
    [
      { tokens: [1, 2], weights: Float32Array.of(0, Number.NaN) },
      'a.jsonl:7: weights.1: expected a finite number of at least 0 but received NaN',
    ],
    [
      { tokens: [1, 2], weights: [0, 1], mask: [0, 1] },
      'a.jsonl:7: expected weights or mask but received both',
    ],
    [
      { messages: [{ role: 'assistant', content: 'x', weight: 1, train: false }] },
      'a.jsonl:7: messages.0.weight: expected a weight that agrees with train: false but received 1',
    ],
  ])('says what is wrong with %j', (row, message) => {
    expect(errorOf(row)).toBe(message);
  });

  it('refuses invalid tokens and masks', () => {
    expect(errorOf({ tokens: [1, -1] })).toMatch(/^a\.jsonl:7: tokens/);
    expect(errorOf({ tokens: [1, 1.5] })).toMatch(/^a\.jsonl:7: tokens/);
    expect(errorOf({ tokens: [1, 2], mask: [0, 2] })).toMatch(/^a\.jsonl:7: mask/);
  });
});
