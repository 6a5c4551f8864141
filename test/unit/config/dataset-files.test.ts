import { describe, expect, it } from 'vitest';
import { finetuneSchema } from '../../../src/config/finetune.js';
import { parseConfig } from '../../../src/config/parse.js';

const parsed = (dataset: unknown) =>
  parseConfig(finetuneSchema, { model: 'base.gguf', output: 'adapter.gguf', dataset });

describe('dataset files', () => {
  it.each([0, -1, 1001, Number.NaN])('cannot have the weight %s', (weight) => {
    const sentence = `dataset: expected a weight above 0 and at most 1000 for 'd.jsonl' but received ${weight}`;
    const file = { path: 'd.jsonl', weight };
    expect(() => parsed(file)).toThrow(sentence);
    expect(() => parsed(['a.jsonl', file])).toThrow(sentence);
  });

  it('are all named whose weights are wrong', () => {
    const wrong = [
      { path: 'a.jsonl', weight: 0.5 },
      { path: 'b.jsonl', weight: -1 },
      { path: 'c.jsonl', weight: '2' },
    ];
    expect(() => parsed(wrong)).toThrow(
      /'b\.jsonl' but received -1; .*'c\.jsonl' but received '2'/,
    );
  });

  it('have local paths; rows may have a column path', () => {
    expect(() => parsed([{ path: new URL('https://host/d.jsonl') }])).toThrow(
      'dataset: expected path',
    );
    expect(parsed([{ path: 'source.html', text: 'x' }]).dataset).toHaveLength(1);
  });
});
