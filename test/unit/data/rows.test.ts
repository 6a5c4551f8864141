import { describe, expect, it } from 'vitest';
import { parseRow } from '../../../src/data/rows.js';

const errorOf = (row: unknown): string => {
  try {
    parseRow(row, 'a.jsonl:7');
  } catch (error) {
    expect(error).toMatchObject({ code: 'DATASET_INVALID_ROW' });
    return (error as Error).message;
  }
  throw new Error('expected an error');
};

describe('parseRow', () => {
  it('recognizes every form, and ignores other columns', () => {
    const kindOf = (row: object) => parseRow(row, 'a').kind;
    expect(kindOf({ messages: [{ role: 'user', content: 'x' }], id: 3 })).toBe('chat');
    expect(kindOf({ conversations: [{ from: 'gpt', value: 'x' }] })).toBe('chat');
    expect(kindOf({ instruction: 'x', output: 'y' })).toBe('chat');
    expect(kindOf({ prompt: '', completion: 'x', source: 'y' })).toBe('completion');
    expect(kindOf({ text: 'x' })).toBe('text');
    expect(kindOf({ tokens: [1, 2], mask: [0, 1] })).toBe('tokens');
    expect(kindOf({ tokens: Int32Array.of(1), mask: Uint8Array.of(1) })).toBe('tokens');
  });

  it('keeps other keys of a message for the template', () => {
    const message = { role: 'assistant', reasoning_content: 'r', tool_calls: [{ name: 'f' }] };
    expect(parseRow({ messages: [message], tools: [{ name: 'f' }] }, 'a')).toEqual({
      kind: 'chat',
      messages: [message],
      tools: [{ name: 'f' }],
      promptMessages: 0,
    });
  });

  const messagesOf = (row: object) => {
    const parsed = parseRow(row, 'a');
    return parsed.kind === 'chat' ? parsed.messages : undefined;
  };

  it('takes null for absent, in rows and in messages', () => {
    const said = { role: 'assistant', content: 'x' };
    const nulls = { ...said, tool_calls: null, name: null, weight: null, train: null };
    expect(messagesOf({ messages: [nulls], text: null, prompt: null, tools: null })).toEqual([
      said,
    ]);
    const called = { role: 'assistant', tool_calls: [{ id: 'c' }] };
    expect(messagesOf({ messages: [{ ...called, content: null }] })).toEqual([called]);
    expect(parseRow({ tokens: [1], weights: null, mask: [1] }, 'a')).toEqual({
      kind: 'tokens',
      tokens: [1],
      mask: [1],
    });
  });

  it('reads conversations of ShareGPT', () => {
    const conversations = [
      { from: 'human', value: 'q' },
      { from: 'gpt', value: 'a', weight: 0 },
      { from: 'observation', value: 't' },
    ];
    expect(messagesOf({ system: 's', conversations })).toEqual([
      { role: 'system', content: 's' },
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a', weight: 0 },
      { role: 'tool', content: 't' },
    ]);
  });

  it('reads instructions of Alpaca', () => {
    const answer = { role: 'assistant', content: 'bouilloire' };
    expect(
      messagesOf({ instruction: 'To French.', input: 'kettle', output: 'bouilloire' }),
    ).toEqual([{ role: 'user', content: 'To French.\n\nkettle' }, answer]);
    expect(messagesOf({ instruction: 'Kettle?', input: '', output: 'bouilloire' })).toEqual([
      { role: 'user', content: 'Kettle?' },
      answer,
    ]);
  });

  it('joins text parts', () => {
    const content = [
      { type: 'text', text: 'Where is ' },
      { type: 'text', text: 'it?' },
    ];
    expect(messagesOf({ messages: [{ role: 'user', content }] })).toEqual([
      { role: 'user', content: 'Where is it?' },
    ]);
  });

  it('reads prompt and completion of messages as one conversation', () => {
    const [q, a] = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ];
    expect(parseRow({ prompt: [q, a, q], completion: [a] }, 'a')).toEqual({
      kind: 'chat',
      messages: [q, a, q, a],
      tools: null,
      promptMessages: 3,
    });
  });

  it.each([
    ['model', 'assistant'],
    ['Assistant', 'assistant'],
    ['HUMAN', 'user'],
    ['developer', 'developer'],
  ])('takes the role %s for %s', (given, role) => {
    expect(messagesOf({ messages: [{ role: given, content: 'x' }] })).toEqual([
      { role, content: 'x' },
    ]);
  });

  it('parses arguments of tool calls and tools that are JSON text', () => {
    const call = (args: unknown) => ({ id: 'c', function: { name: 'f', arguments: args } });
    const said = (args: unknown) => ({
      messages: [{ role: 'assistant', tool_calls: [call(args)] }],
      tools: '[{"name":"f"}]',
    });
    expect(parseRow(said('{"city":"Oslo"}'), 'a')).toEqual(parseRow(said({ city: 'Oslo' }), 'a'));
    expect(parseRow(said(''), 'a')).toEqual(parseRow(said({}), 'a'));
    expect(parseRow(said({}), 'a')).toMatchObject({ tools: [{ name: 'f' }] });
    expect(errorOf(said('{"city"'))).toMatch(
      /messages\.0\.tool_calls\.0\.function\.arguments: expected JSON text/,
    );
  });

  it('lets the form win that a row fits, with columns of others beside it', () => {
    const messages = [{ role: 'assistant', content: 'x' }];
    expect(messagesOf({ messages, prompt: 'x', prompt_id: 'k' })).toEqual(messages);
    expect(messagesOf({ messages, tokens: 12 })).toEqual(messages);
  });

  it('says which columns to drop from a row that fits two forms', () => {
    const row = { messages: [{ role: 'assistant', content: 'x' }], text: 'x' };
    expect(errorOf(row)).toBe('a.jsonl:7: the row is a sample in 2 ways: by messages, and by text');
    expect(() => parseRow(row, 'a')).toThrow(
      expect.objectContaining({ hint: 'drop text to train on messages, or the other way round' }),
    );
  });

  it.each([
    [null, 'a.jsonl:7: expected an object but received null'],
    [[1], 'a.jsonl:7: expected an object but received an array'],
    [
      { question: 'x' },
      'a.jsonl:7: expected the columns of a known form but received the columns question',
    ],
    [{ prompt: 'x' }, 'a.jsonl:7: completion: expected a string but received nothing'],
    [{ text: 3 }, 'a.jsonl:7: text: expected a string but received 3'],
    [
      { messages: [] },
      'a.jsonl:7: messages: expected at least 1 items but received an empty array',
    ],
    [
      { messages: [{ role: 'user', content: null }] },
      'a.jsonl:7: messages.0.content: expected a text but received null',
    ],
    ...['', null, []].map((content): [object, string] => [
      { messages: [{ role: 'assistant', content, tool_calls: [] }] },
      `a.jsonl:7: messages.0.content: expected an answer, or other content such as tool_calls, but received ${
        content === '' ? 'an empty text' : content === null ? 'null' : 'an empty list'
      }`,
    ]),
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
      "a.jsonl:7: messages.0.content.0: expected a part of type 'text' with a text but received a part of type 'image_url'",
    ],
    [
      { messages: [{ role: 'user', content: 'x' }], tools: '{}' },
      'a.jsonl:7: tools: expected a list, or JSON text of a list',
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
