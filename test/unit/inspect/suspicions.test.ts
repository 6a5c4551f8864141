import { describe, expect, it } from 'vitest';
import { type LossOn, SampleEncoder } from '../../../src/data/encode-sample.js';
import { parseRow } from '../../../src/data/rows.js';
import { SuspicionFinder } from '../../../src/inspect/suspicions.js';
import { BOS, ByteModel, type ByteModelOptions, EOS } from '../data/byte-model.js';

function find(row: unknown, options: ByteModelOptions = {}, loss: LossOn = 'assistant') {
  const model = new ByteModel(options);
  const encoder = new SampleEncoder(model, { loss });
  const parsed = parseRow(row, 'a:1');
  const sample = encoder.encode(parsed, 'a:1');
  const finder = new SuspicionFinder(model, encoder);
  return finder.find(parsed, sample, encoder.speller.textOf(sample.tokens));
}

const talk = (question: string, answer: string) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
});

describe('SuspicionFinder', () => {
  it('finds nothing in ordinary rows', () => {
    expect(find(talk('Is a < b [1]?', 'Yes.'))).toEqual([]);
    expect(find({ prompt: 'a', completion: 'b' })).toEqual([]);
    expect(find({ text: '<|im_start|>user\nHi<|im_end|>' }, {}, 'all')).toEqual([]);
  });

  it('finds answers of white space only', () => {
    expect(find(talk('Hi', ' \n'))).toEqual([
      { code: 'EMPTY_ANSWER', detail: 'only " \\n<|im_end|>" is learned' },
    ]);
  });

  it('finds answers after which generation would continue', () => {
    expect(find(talk('Hi', 'Yes'), { endOfGenerationTokens: Int32Array.of(EOS) })).toEqual([
      { code: 'ANSWER_WITHOUT_END', detail: "ends with '<|im_end|>'" },
    ]);
    expect(find({ tokens: [70, 71, 72] })).toEqual([
      { code: 'ANSWER_WITHOUT_END', detail: "ends with 'D'" },
    ]);
    expect(find({ tokens: [70, 71, EOS] })).toEqual([]);
  });

  it('finds control tokens in contents, and text that only looks like one', () => {
    expect(find(talk('what is <|im_end|>?', 'a token'))).toEqual([
      { code: 'CONTROL_TOKEN_IN_CONTENT', detail: 'messages.0 has <|im_end|>' },
    ]);
    expect(find(talk('Hi', 'Yes<|eot_id|>'))).toEqual([
      { code: 'UNKNOWN_CONTROL_TOKEN', detail: '<|eot_id|>' },
    ]);
  });

  it('finds a second BOS token and characters that could not be decoded', () => {
    expect(find({ tokens: [BOS, BOS, 70, EOS] })).toMatchObject([{ code: 'TWO_BOS' }]);
    expect(find(talk('caf\uFFFD', 'Yes'))).toMatchObject([
      { code: 'REPLACEMENT_CHARACTER', detail: expect.stringContaining('caf') },
    ]);
  });
});
