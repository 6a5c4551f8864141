import { describe, expect, it } from 'vitest';
import { renderChat } from '../../../src/data/chat-template.js';
import { encodeChatPrompt, encodePrompt } from '../../../src/data/prompt.js';
import { BOS, ByteModel, CHATML } from './byte-model.js';
import { INST } from './templates.js';

const messages = [{ role: 'user', content: 'Hi' }];

describe('renderChat', () => {
  it('renders with and without a generation prompt', () => {
    expect(renderChat(CHATML, messages)).toBe('<|im_start|>user\nHi<|im_end|>\n');
    expect(renderChat(CHATML, messages, { addGenerationPrompt: true })).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('passes BOS, EOS, tools and unknown message keys to the template', () => {
    const template =
      '{{ bos_token }}|{{ eos_token }}|{% if tools %}{{ tools[0].name }}{% endif %}|{{ messages[0].mood }}';
    const text = renderChat(template, [{ role: 'user', content: '', mood: 'calm' }], {
      bosToken: '<s>',
      eosToken: '</s>',
      tools: [{ name: 'clock' }],
    });
    expect(text).toBe('<s>|</s>|clock|calm');
  });

  it('quotes what the template refuses, and says what to do', () => {
    const system =
      "{% if messages[0].role == 'system' %}{{ raise_exception('System role is not supported') }}{% endif %}";
    const alternate =
      "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}" +
      "{{ raise_exception('Roles must alternate user and assistant') }}{% endif %}{% endfor %}";
    const errorOf = (template: string, roles: string[]) => {
      try {
        renderChat(
          template,
          roles.map((role) => ({ role, content: 'x' })),
        );
      } catch (error) {
        return error as { message: string; hint: string };
      }
      throw new Error('expected an error');
    };
    expect(errorOf(system, ['system', 'user'])).toMatchObject({
      message: 'the chat template refuses the conversation: System role is not supported',
      hint: expect.stringContaining('at the start of the first user message'),
    });
    expect(errorOf(alternate, ['user', 'user'])).toMatchObject({
      message:
        'the chat template refuses the conversation: Roles must alternate user and assistant',
      hint: expect.stringContaining('join consecutive messages of one role'),
    });
    expect(errorOf("{{ raise_exception('no') }}", ['user']).hint).toContain('as the template says');
  });

  it('tells strftime_now() the given time', () => {
    const now = new Date(2026, 1, 3);
    expect(renderChat("{{ strftime_now('%d %b %Y') }}", messages, { now })).toBe('03 Feb 2026');
  });

  it('reports refused conversations, invalid templates and missing templates', () => {
    expect(() => renderChat("{{ raise_exception('no system role') }}", messages)).toThrowError(
      expect.objectContaining({
        code: 'TEMPLATE_FAILED',
        message: expect.stringContaining('no system role'),
      }),
    );
    expect(() => renderChat('{% for %}', messages)).toThrowError(
      expect.objectContaining({ code: 'TEMPLATE_FAILED' }),
    );
    for (const none of [null, undefined, '']) {
      expect(() => renderChat(none, messages)).toThrowError(
        expect.objectContaining({ code: 'NO_CHAT_TEMPLATE' }),
      );
    }
  });
});

describe('prompts', () => {
  it('start with BOS once', () => {
    const model = new ByteModel({ addBos: true, chatTemplate: INST });
    expect(model.text(encodePrompt(model, 'ab'))).toBe('<s>ab');
    expect(model.text(encodeChatPrompt(model, messages))).toBe('<s>[INST] Hi [/INST]');
    expect(encodePrompt(new ByteModel(), 'ab')).not.toContain(BOS);
  });

  it('end with the header of an assistant turn', () => {
    const model = new ByteModel();
    expect(model.text(encodeChatPrompt(model, messages))).toMatch(/<\|im_start\|>assistant\n$/);
  });

  it('use a given template', () => {
    const model = new ByteModel({ chatTemplate: null });
    const tokens = encodeChatPrompt(model, messages, {
      chatTemplate: '{{ messages[0].content }}!',
    });
    expect(model.text(tokens)).toBe('Hi!');
  });

  it('ends templates that would run for hours or fill the memory', () => {
    const loop = '{% for i in range(100000) %}';
    const end = '{% endfor %}';
    for (const [template, reason] of [
      [`${loop}${loop}{% set x = i %}${end}${end}`, 'runs more than 3000000 statements'],
      [`${loop}{{ 'x' * 10000 }}${end}`, 'writes more than 200000000 characters'],
      [
        "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        'too large',
      ],
      [
        '{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}',
        'too large',
      ],
      ['{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}', 'call stack'],
    ] as const) {
      expect(() => renderChat(template, messages)).toThrowError(
        expect.objectContaining({
          code: 'TEMPLATE_FAILED',
          message: expect.stringContaining(reason),
        }),
      );
    }
  });
});
