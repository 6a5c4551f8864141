import { describe, expect, it } from 'vitest';
import { ExactNumber, parseExactJson } from '../../../src/config/exact-json.js';
import { renderChat } from '../../../src/data/chat-template.js';
import { parseRow } from '../../../src/data/rows.js';

describe('parseExactJson', () => {
  it.each([
    '1',
    '-3',
    '0.1',
    '2.5',
    '[1,2,{"a":null,"b":[true,false,"1.0 \\" 12345678901234567890"]}]',
    '"1.0"',
    '{"2":1,"10":2}',
  ])('gives what JSON.parse() gives if nothing changes: %s', (text) => {
    expect(parseExactJson(text)).toEqual(JSON.parse(text));
  });

  it.each(['1.0', '-0.0', '1e5', '1E+21', '12345678901234567890', '9007199254740993', '2.50e3'])(
    'keeps %s',
    (literal) => {
      const { a } = parseExactJson(`{"a": ${literal}}`) as { a: unknown };
      expect(a).toBeInstanceOf(ExactNumber);
      expect((a as ExactNumber).literal).toBe(literal);
      expect((a as ExactNumber).value).toBe(Number(literal));
    },
  );

  it('keeps the order of keys that JavaScript would sort', () => {
    expect(parseExactJson('{"10": "x", "2": "y"}')).toEqual(
      new Map([
        ['10', 'x'],
        ['2', 'y'],
      ]),
    );
  });

  it('refuses what JSON.parse() refuses', () => {
    expect(() => parseExactJson('{"a": 1.0,}')).toThrow(SyntaxError);
    expect(() => parseExactJson('{"a": 01.0}')).toThrow(SyntaxError);
  });
});

describe('rows of a file', () => {
  const render = (row: string, template: string) => {
    const parsed = parseRow(parseExactJson(row), 'a');
    if (parsed.kind !== 'chat') throw new Error('expected a conversation');
    return renderChat(template, parsed.messages, { tools: parsed.tools });
  };

  it('reach the template unchanged, also as JSON text inside JSON', () => {
    const numbers = '{"10": 1.0, "2": 12345678901234567890, "a": [1e5, 0.1]}';
    const call = (given: string) =>
      `{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": ${given}}}]}`;
    const template =
      '{{ messages[0].tool_calls[0].function.arguments | tojson }}|{{ tools | tojson }}';
    const expected = '{"10": 1.0, "2": 12345678901234567890, "a": [100000.0, 0.1]}';
    for (const given of [numbers, JSON.stringify(numbers)]) {
      const row = `{"messages": [${call(given)}], "tools": ${JSON.stringify(`[${numbers}]`)}}`;
      expect(render(row, template)).toBe(`${expected}|[${expected}]`);
    }
  });

  it('have numbers where weights and tokens are expected', () => {
    const parse = (row: string) => parseRow(parseExactJson(row), 'a');
    expect(
      parse('{"messages": [{"role": "assistant", "content": "x", "weight": 1.0}]}'),
    ).toMatchObject({ messages: [{ weight: 1 }] });
    expect(parse('{"tokens": [1.0, 2], "weights": [1.0, 0.5]}')).toMatchObject({
      tokens: [1, 2],
      weights: [1, 0.5],
    });
    expect(parse('{"tokens": [1], "mask": [1.0]}')).toMatchObject({ mask: [1] });
    expect(
      parse('{"conversations": [{"from": "gpt", "value": "x", "weight": 2.0}]}'),
    ).toMatchObject({ messages: [{ weight: 2 }] });
  });
});
