import { describe, expect, it } from 'vitest';
import { jsonCheck, jsonText } from '../../src/json-answer.js';

const person = {
  type: 'object',
  properties: { name: { type: 'string' }, born: { type: 'string', format: 'date' } },
  required: ['name'],
  additionalProperties: false,
};

describe('jsonCheck', () => {
  it('accepts JSON that fits, also as the only code block', () => {
    const check = jsonCheck(person);
    expect(check('{"name": "Ada", "born": "1815-12-10"}')).toBeNull();
    expect(check('Here it is:\n```json\n{"name": "Ada"}\n```\n')).toBeNull();
    expect(jsonCheck({})(' [1] ')).toBeNull();
    expect(jsonCheck(true)('null')).toBeNull();
  });

  it('says what is wrong', () => {
    const check = jsonCheck(person);
    expect(check('{}')).toBe("the value must have required property 'name'");
    expect(check('{"name": 1}')).toBe('/name must be string');
    expect(check('{"name": "Ada", "born": "yesterday"}')).toBe('/born must match format "date"');
    expect(check('')).toMatch(/^not JSON: /);
    expect(check('Sure! {"name": "Ada"}')).toMatch(/^not JSON: /);
    expect(jsonCheck(false)('1')).toBe('the value boolean schema is false');
  });

  it('reads the draft that the schema names', () => {
    const pair = { type: 'array', prefixItems: [{ type: 'string' }] };
    expect(jsonCheck(pair)('[1]')).toBe('/0 must be string');
    for (const draft of ['06', '07']) {
      const old = { $schema: `http://json-schema.org/draft-${draft}/schema#`, ...pair };
      expect(jsonCheck(old)('[1]')).toBeNull();
      expect(jsonCheck({ ...old, items: [{ type: 'string' }] })('[1]')).toBe('/0 must be string');
    }
  });

  it('ends a check that takes too long, or is nested too deeply', () => {
    const backtracks = jsonCheck({ type: 'string', pattern: '^(a+)+$' });
    expect(backtracks(`"${'a'.repeat(40)}!"`)).toBe('checking it took longer than 1 s');
    const list = { type: 'array', items: { $ref: '#' } };
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(jsonCheck(list)(deep)).toMatch(/^it could not be checked: /);
  });

  it.each([
    [{ type: 'strin' }],
    [{ $ref: '#/definitions/missing' }],
    [{ pattern: '(' }],
    [{ $ref: 'https://example.com/schema.json' }],
    [{ $async: true, type: 'object' }],
    [{ $schema: 'http://json-schema.org/draft-04/schema#' }],
  ])('refuses the schema %j', (schema) => {
    expect(() => jsonCheck(schema)).toThrow(
      expect.objectContaining({ code: 'JSON_SCHEMA_INVALID' }),
    );
  });
});

describe('jsonText', () => {
  it('keeps an answer with several code blocks as it is', () => {
    const answer = '```json\n1\n```\nor\n```json\n2\n```';
    expect(jsonText(answer)).toBe(answer);
  });
});
