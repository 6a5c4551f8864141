import { describe, expect, it } from 'vitest';
import { type LossOn, SampleEncoder } from '../../../src/data/encode-sample.js';
import { parseRow } from '../../../src/data/rows.js';
import { BOS, ByteModel, type ByteModelOptions, EOS } from './byte-model.js';
import {
  ALWAYS_OPEN,
  CLOSED_BY_EOS,
  FINISHED_ONLY,
  GENERATION,
  INST,
  NO_END,
  THINK_LAST,
  THINK_OPEN,
  WITHOUT_ANSWERS,
} from './templates.js';

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

function encode(row: unknown, loss: LossOn, options: ByteModelOptions = {}) {
  const model = new ByteModel(options);
  const sample = new SampleEncoder(model, { loss }).encode(parseRow(row, 'a:1'), 'a:1');
  return { ...sample, text: model.text(sample.tokens), target: model.targetText(sample) };
}

function openEnd(row: unknown, loss: LossOn, options: ByteModelOptions = {}) {
  const encoder = new SampleEncoder(new ByteModel(options), { loss });
  const parsed = parseRow(row, 'a:1');
  return encoder.openEnd(parsed, encoder.encode(parsed, 'a:1'));
}

const talk = { messages: [user('Hi'), assistant('Yes'), user('Ok?'), assistant('No')] };

describe('loss on conversations', () => {
  it('assistant: every turn with its end token, without header and line break', () => {
    const sample = encode(talk, 'assistant');
    expect(sample.target).toBe('Yes<|im_end|>No<|im_end|>');
    expect(sample.text).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n' +
        '<|im_start|>user\nOk?<|im_end|>\n<|im_start|>assistant\nNo<|im_end|>\n',
    );
  });

  it('completion: the last assistant turn, also if a user turn follows', () => {
    expect(encode(talk, 'completion').target).toBe('No<|im_end|>');
    const open = { messages: [...talk.messages, user('Why?')] };
    expect(encode(open, 'completion').target).toBe('No<|im_end|>');
  });

  it('last-assistant: the last assistant turn, also of a completion with several', () => {
    expect(encode(talk, 'last-assistant').target).toBe('No<|im_end|>');
    const row = { prompt: [user('a')], completion: [assistant('b'), user('c'), assistant('d')] };
    expect(encode(row, 'last-assistant').target).toBe('d<|im_end|>');
    expect(encode(row, 'completion').target).toBe('b<|im_end|>d<|im_end|>');
    expect(encode({ prompt: 'a', completion: 'b' }, 'last-assistant').target).toBe('b</s>');
  });

  it('all: everything but the first token', () => {
    const sample = encode(talk, 'all');
    expect(sample.weights[0]).toBe(0);
    expect(sample.weights.subarray(1).every((value) => value === 1)).toBe(true);
  });

  it('gives the same tokens for any loss option', () => {
    const [a, b] = [encode(talk, 'assistant'), encode(talk, 'all')];
    expect(a.tokens).toEqual(b.tokens);
  });

  it('accepts an end token in the content', () => {
    const row = { messages: [user('Hi'), assistant('a<|im_end|>b'), user('x'), assistant('c')] };
    expect(encode(row, 'assistant').target).toBe('a<|im_end|>b<|im_end|>c<|im_end|>');
  });

  it('refuses a conversation without an assistant turn and names the row', () => {
    for (const loss of ['assistant', 'completion'] as const) {
      expect(() => encode({ messages: [user('Hi')] }, loss)).toThrowError(
        expect.objectContaining({
          code: 'DATASET_NO_TARGET',
          message: expect.stringMatching(/^a:1: /),
        }),
      );
    }
  });

  it('has no token that spans header and answer', () => {
    const row = { messages: [user('Hi'), assistant('\nYes')] };
    const sample = encode(row, 'assistant', { merges: ['\n\n'] });
    expect(sample.target).toBe('\nYes<|im_end|>');
  });

  it('finds turns with any content', () => {
    const pieces = ['a', ' ', '\n', 'é', '🙂', '<', '|', 'user', '<think>', '  x', '{{ y }}'];
    for (let seed = 1; seed < 200; seed++) {
      const text = (salt: number) =>
        `k${Array.from({ length: seed % 7 }, (_, i) => pieces[(seed * salt * (i + 3) + i) % pieces.length]).join('')}.`;
      const messages = [user(text(7)), assistant(text(11)), user(text(13)), assistant(text(17))];
      const sample = encode({ messages }, 'assistant');
      expect(sample.target).toBe(`${text(11)}<|im_end|>${text(17)}<|im_end|>`);
    }
  });
});

describe('weights of messages', () => {
  const weighted = (first: object, second: object = {}) => ({
    messages: [
      user('Hi'),
      { ...assistant('Yes'), ...first },
      user('Ok?'),
      { ...assistant('No'), ...second },
    ],
  });
  const runs = ({ weights }: { weights: Float32Array }) =>
    [...weights].filter((weight, i) => weight !== weights[i - 1]);

  it('a weight multiplies the loss of its turn', () => {
    expect(runs(encode(weighted({ weight: 0.5 }), 'assistant'))).toEqual([0, 0.5, 0, 1, 0]);
    expect(runs(encode(weighted({ weight: 0.5 }, { weight: 2 }), 'completion'))).toEqual([0, 2, 0]);
    expect(runs(encode(weighted({ weight: 0.5 }), 'all'))).toEqual([0, 1, 0.5, 1]);
  });

  it('weight 0 and train: false exclude a turn from the loss', () => {
    for (const none of [{ weight: 0 }, { train: false }, { weight: 0, train: false }]) {
      expect(encode(weighted(none), 'assistant').target).toBe('No<|im_end|>');
      expect(encode(weighted(none), 'all').target).not.toMatch(/Yes/);
    }
    expect(encode(weighted({ weight: null, train: true }), 'assistant')).toEqual(
      encode(talk, 'assistant'),
    );
    expect(() => encode(weighted({}, { train: false }), 'completion')).toThrowError(
      expect.objectContaining({ code: 'DATASET_NO_TARGET' }),
    );
  });

  it('refuses a weight on another role that would have no effect', () => {
    const withWeight = (weight: object) => ({
      messages: [{ ...user('Hi'), ...weight }, assistant('x')],
    });
    expect(() => encode(withWeight({ weight: 1 }), 'assistant')).toThrowError(
      "a:1: messages.0: expected weight 0 for role 'user' with loss 'assistant' but received 1",
    );
    expect(() => encode(withWeight({ train: false }), 'all')).toThrowError(
      "a:1: messages.0: expected weight 1 for role 'user' with loss 'all' but received 0",
    );
    expect(encode(withWeight({ weight: 0 }), 'assistant').target).toBe('x<|im_end|>');
  });
});

describe('templates', () => {
  it('without headers: turns start where generation would continue', () => {
    const sample = encode(talk, 'assistant', { chatTemplate: INST, eotToken: null });
    expect(sample.target).toBe(' Yes </s> No </s>');
  });

  it('that render earlier turns differently from the last', () => {
    const messages = [
      user('Hi'),
      assistant('<think>\nhm\n</think>\n\nYes'),
      user('Ok?'),
      assistant('No'),
    ];
    const sample = encode({ messages }, 'assistant', { chatTemplate: THINK_LAST });
    expect(sample.target).toBe('Yes<|im_end|><think>\n\n</think>\n\nNo<|im_end|>');
  });

  it('whose generation prompt contains text that finished turns lack', () => {
    const messages = [
      user('Hi'),
      assistant('<think>hm</think><b>Yes'),
      user('Ok?'),
      assistant('No'),
    ];
    const sample = encode({ messages }, 'assistant', { chatTemplate: THINK_OPEN, eotToken: null });
    expect(sample.text).toBe('<s><|user|>Hi<|assistant|><b>Yes</s><|user|>Ok?<|assistant|>No</s>');
    // The template removed the reasoning of the first turn; the rest of the turn is found by its end token.
    expect(sample.target).toBe('<b>Yes</s>No</s>');
  });

  it('that refuse the conversation before its first assistant turn', () => {
    const sample = encode(talk, 'assistant', { chatTemplate: FINISHED_ONLY });
    expect(sample.target).toBe('Yes</s>No</s>');
  });

  it('that end only the last turn: other turns end with their content', () => {
    const chatTemplate =
      "{% for m in messages %}{{ 'A:' if m.role == 'assistant' else 'U:' }}{{ m.content }}" +
      '{% if loop.last %}<|im_end|>{% endif %}\n{% endfor %}';
    expect(encode(talk, 'assistant', { chatTemplate }).target).toBe('YesNo<|im_end|>');
    const [first, ...others] = [...talk.messages].reverse();
    const row = { messages: [...others.reverse(), { ...first, train: false }] };
    expect(encode(row, 'assistant', { chatTemplate }).target).toBe('Yes');
  });

  it('that end the whole text with EOS', () => {
    const { target } = encode(talk, 'assistant', { chatTemplate: CLOSED_BY_EOS });
    expect(target).toBe('Yes<|im_end|>No<|im_end|>');
  });

  it('that always end with a generation prompt', () => {
    const { target } = encode(talk, 'assistant', { chatTemplate: ALWAYS_OPEN });
    expect(target).toBe('Yes<|im_end|>No<|im_end|>');
  });

  it('that drop assistant turns cause a typed error', () => {
    expect(() => encode(talk, 'assistant', { chatTemplate: WITHOUT_ANSWERS })).toThrowError(
      expect.objectContaining({
        code: 'TEMPLATE_FAILED',
        message: expect.stringMatching(/^a:1: /),
      }),
    );
  });

  it('that are missing cause a typed error', () => {
    expect(() => encode(talk, 'all', { chatTemplate: null })).toThrowError(
      expect.objectContaining({ code: 'NO_CHAT_TEMPLATE' }),
    );
  });
});

describe('vocabularies that insert a space before a text', () => {
  it('insert none inside a sample', () => {
    const sample = encode(talk, 'assistant', {
      chatTemplate: INST,
      eotToken: null,
      spacePrefix: true,
    });
    expect(sample.target).toBe(' Yes </s> No </s>');
    const completion = encode({ prompt: 'ab', completion: 'cd' }, 'completion', {
      spacePrefix: true,
    });
    expect(completion.text).toBe(' abcd</s>');
  });
});

describe('BOS and EOS', () => {
  it('adds BOS once, if the vocabulary asks for it', () => {
    expect([...encode({ text: 'x' }, 'all', { addBos: true }).tokens].indexOf(BOS)).toBe(0);
    expect(encode({ text: 'x' }, 'all').tokens[0]).not.toBe(BOS);
    expect(encode({ text: '<s>x' }, 'all', { addBos: true }).text).toBe('<s>x</s>');
    expect(encode(talk, 'all', { addBos: true, chatTemplate: INST }).text).toMatch(/^<s>\[INST\]/);
  });

  it('adds EOS once, with a loss, to texts and completions', () => {
    expect(encode({ prompt: 'a', completion: 'b' }, 'completion').target).toBe('b</s>');
    expect(encode({ prompt: 'a', completion: 'b</s>' }, 'completion').target).toBe('b</s>');
    expect(encode({ prompt: 'a', completion: 'b<|im_end|>' }, 'completion').target).toBe(
      'b<|im_end|>',
    );
    expect(encode({ text: 'ab' }, 'all', { addBos: true }).target).toBe('ab</s>');
    expect(encode({ text: 'ab' }, 'all', { eosToken: null }).text).toBe('ab');
  });
});

describe('rows without a template', () => {
  it('completion and assistant: the completion; all: both', () => {
    const row = { prompt: 'ab', completion: 'cd' };
    expect(encode(row, 'completion').target).toBe('cd</s>');
    expect(encode(row, 'assistant').target).toBe('cd</s>');
    expect(encode(row, 'all').target).toBe('bcd</s>');
    expect(encode({ prompt: '', completion: 'cd' }, 'completion').target).toBe('d</s>');
  });

  it('a text has no answer', () => {
    expect(() => encode({ text: 'ab' }, 'assistant')).toThrowError(
      expect.objectContaining({ code: 'DATASET_NO_TARGET' }),
    );
  });

  it('tokens keep their mask or weights, except the first', () => {
    const sample = encode({ tokens: [5, 6, 7], mask: [1, 0, 1] }, 'assistant');
    expect([...sample.tokens]).toEqual([5, 6, 7]);
    expect([...sample.weights]).toEqual([0, 0, 1]);
    const weighted = encode({ tokens: [5, 6, 7], weights: [1, 0.25, 3] }, 'assistant');
    expect([...weighted.weights]).toEqual([0, 0.25, 3]);
    expect([...encode({ tokens: Int32Array.of(5, EOS) }, 'all').weights]).toEqual([0, 1]);
  });

  it('tokens beyond the vocabulary are an error', () => {
    expect(() => encode({ tokens: [5, 260] }, 'all')).toThrowError(/below 260 but received 260/);
  });

  it('a sample of one token has nothing to learn', () => {
    expect(() => encode({ tokens: [5] }, 'all')).toThrowError(
      expect.objectContaining({ code: 'DATASET_NO_TARGET' }),
    );
    expect(() => encode({ tokens: [5, 6], mask: [1, 0] }, 'all')).toThrowError(
      expect.objectContaining({ code: 'DATASET_NO_TARGET' }),
    );
  });
});

describe('generation blocks', () => {
  const marked = { chatTemplate: GENERATION };
  const called = {
    messages: [user('Hi'), { ...assistant('Yes'), call: 'f()' }, user('Ok?'), assistant('No')],
  };

  it('say what an assistant turn is', () => {
    const sample = encode(called, 'assistant', marked);
    expect(sample.target).toBe('Yesf()<|im_end|>No<|im_end|>');
    expect(sample.text).toContain('Yes[f()]<|im_end|>');
  });

  it('belong to their messages, however many a message has', () => {
    expect(encode(called, 'last-assistant', marked).target).toBe('No<|im_end|>');
    const [first, second] = [{ ...called.messages[1]!, weight: 0 }, called.messages[3]!];
    const weighted = { messages: [user('Hi'), first, user('Ok?'), second] };
    expect(encode(weighted, 'assistant', marked).target).toBe('No<|im_end|>');
    const row = { prompt: called.messages.slice(0, 2), completion: called.messages.slice(2) };
    expect(encode(row, 'assistant', marked).target).toBe('No<|im_end|>');
  });

  it('leave nothing to learn where a template marks nothing', () => {
    const chatTemplate =
      '{% for m in messages %}{% if m.marked %}{% generation %}{{ m.content }}{% endgeneration %}' +
      '{% else %}{{ m.content }}{% endif %}{% endfor %}';
    expect(() => encode(talk, 'assistant', { chatTemplate })).toThrowError(
      expect.objectContaining({ code: 'DATASET_NO_TARGET' }),
    );
  });

  it('inside a macro, whose place is not known, are not used', () => {
    const chatTemplate =
      '{% macro turn(m) %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% endmacro %}' +
      '{% for m in messages %}<{{ m.role }}>{{ turn(m) }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}';
    expect(encode(talk, 'assistant', { chatTemplate }).target).toBe('Yes<|im_end|>No<|im_end|>');
  });
});

describe('templates that write nothing after an answer', () => {
  it('get EOS after the last answer, which is learned', () => {
    const sample = encode(talk, 'assistant', { chatTemplate: NO_END });
    expect(sample.text).toMatch(/### Response:\nNo\n\n<\/s>$/);
    expect(sample.target).toBe('Yes\n\nNo\n\n</s>');
    expect(encode(talk, 'all', { chatTemplate: NO_END }).tokens).toEqual(sample.tokens);
  });

  it('get none after a question, or twice, and none is learned after an answer that is not', () => {
    const open = { messages: [...talk.messages, user('Why?')] };
    expect(encode(open, 'assistant', { chatTemplate: NO_END }).text).not.toContain('</s>');
    const ended = { messages: [user('a'), assistant('b</s>')] };
    expect(encode(ended, 'assistant', { chatTemplate: NO_END }).text).toMatch(/b<\/s>\n\n$/);
    const unlearned = {
      messages: [...talk.messages.slice(0, 3), { ...assistant('No'), weight: 0 }],
    };
    const sample = encode(unlearned, 'assistant', { chatTemplate: NO_END });
    expect(sample.text).toMatch(/<\/s>$/);
    expect(sample.target).toBe('Yes\n\n');
  });

  it('cannot be ended without an EOS token, which openEnd() tells', () => {
    const options = { chatTemplate: NO_END, eosToken: null };
    expect(encode(talk, 'assistant', options).text).not.toContain('</s>');
    expect(openEnd(talk, 'assistant', options)).toBe('o');
  });
});

describe('openEnd()', () => {
  it('tells how an answer ends that generation would continue', () => {
    expect(openEnd(talk, 'assistant')).toBeUndefined();
    const noEog = { endOfGenerationTokens: Int32Array.of(EOS) };
    expect(openEnd(talk, 'assistant', noEog)).toBe('<|im_end|>');
    expect(openEnd(talk, 'all', noEog)).toBe('<|im_end|>');
    const asText = { chatTemplate: INST.replace('{{ eos_token }}', '[END]') };
    expect(openEnd(talk, 'assistant', asText)).toBe(']');
    const open = { messages: [...talk.messages, user('Why?')] };
    expect(openEnd(open, 'all', noEog)).toBeUndefined();
    expect(openEnd({ text: 'ab' }, 'all')).toBeUndefined();
  });
});
