import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { renderChat } from '../../../src/data/chat-template.js';
import { NAMED_TEMPLATES } from '../../../src/data/named-templates.js';

const file = (path: string) => new URL(path, import.meta.url);
const conversations = JSON.parse(
  readFileSync(file('../../../tools/chat-templates/conversations.json'), 'utf8'),
);
const recorded = JSON.parse(
  gunzipSync(readFileSync(file('chat-templates.json.gz'))).toString(),
).templates;

function render(name: string, conversation: string): string {
  const { messages, tools, add_generation_prompt } = conversations[conversation];
  return renderChat(NAMED_TEMPLATES.get(name)!, messages, {
    tools: tools ?? null,
    addGenerationPrompt: add_generation_prompt,
    bosToken: '<BOS>',
    eosToken: '<EOS>',
  });
}

const DATE = 'Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n';

/** The conversations that a real template of the format renders in the same way, but for what `change` removes. */
const REAL: readonly {
  name: string;
  template: string;
  equal: readonly string[];
  change?: (text: string) => string;
}[] = [
  {
    name: 'chatml',
    template: 'Qwen-Qwen2.5-7B-Instruct.jinja',
    equal: ['system', 'turns', 'white space', 'empty'],
  },
  {
    name: 'llama3',
    template: 'meta-llama-Llama-3.1-8B-Instruct.jinja',
    equal: ['system', 'turns', 'white space'],
    change: (text) => text.replace(DATE, ''),
  },
  {
    name: 'gemma',
    template: 'google-gemma-2-2b-it.jinja',
    equal: ['question', 'answer', 'think tags', 'characters'],
  },
  {
    name: 'mistral',
    template: 'mistralai-Mistral-Nemo-Instruct-2407.jinja',
    equal: ['question', 'answer', 'think tags', 'characters'],
  },
  {
    name: 'mistral-v7',
    template: 'unsloth-mistral-Devstral-Small-2507.jinja',
    equal: ['system', 'turns', 'white space'],
  },
  {
    name: 'phi',
    template: 'microsoft-Phi-3.5-mini-instruct.jinja',
    equal: ['question', 'answer', 'system', 'turns', 'white space', 'think tags'],
  },
];

describe('named chat templates', () => {
  it.each(REAL)('$name renders as $template', ({ name, template, equal, change }) => {
    for (const conversation of equal) {
      const { text } = recorded[template][conversation];
      expect(render(name, conversation), conversation).toBe((change ?? String)(text));
    }
  });

  it.each([
    [
      'llama2',
      '<BOS>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nOne [/INST] 1 <EOS>' +
        '<BOS>[INST] Two [/INST] 2 <EOS><BOS>[INST] Three [/INST]',
    ],
    [
      'zephyr',
      '<|system|>\nBe brief.<EOS>\n<|user|>\nOne<EOS>\n<|assistant|>\n1<EOS>\n<|user|>\nTwo<EOS>\n' +
        '<|assistant|>\n2<EOS>\n<|user|>\nThree<EOS>\n<|assistant|>\n',
    ],
    [
      'alpaca',
      '<BOS>Be brief.\n\n### Instruction:\nOne\n\n### Response:\n1<EOS>\n\n### Instruction:\nTwo\n\n' +
        '### Response:\n2<EOS>\n\n### Instruction:\nThree\n\n### Response:\n',
    ],
    [
      'vicuna',
      '<BOS>Be brief.\n\nUSER: One\nASSISTANT: 1<EOS>\nUSER: Two\nASSISTANT: 2<EOS>\nUSER: Three\nASSISTANT:',
    ],
    [
      'gemma',
      '<BOS><start_of_turn>user\nBe brief.\n\nOne<end_of_turn>\n<start_of_turn>model\n1<end_of_turn>\n' +
        '<start_of_turn>user\nTwo<end_of_turn>\n<start_of_turn>model\n2<end_of_turn>\n' +
        '<start_of_turn>user\nThree<end_of_turn>\n<start_of_turn>model\n',
    ],
    ['mistral', '<BOS>[INST]Be brief.\n\nOne[/INST]1<EOS>[INST]Two[/INST]2<EOS>[INST]Three[/INST]'],
  ])('%s renders several turns with a system message', (name, expected) => {
    expect(render(name, 'turns')).toBe(expected);
  });

  it.each([...NAMED_TEMPLATES.keys()])('%s refuses tools and tool calls', (name) => {
    for (const conversation of ['tools', 'tool calls']) {
      expect(() => render(name, conversation)).toThrowError(
        expect.objectContaining({
          code: 'TEMPLATE_FAILED',
          message: expect.stringContaining('no place for tool'),
        }),
      );
    }
  });

  it('refuse roles that they cannot write', () => {
    for (const name of ['gemma', 'mistral', 'alpaca', 'vicuna', 'llama2', 'mistral-v7']) {
      expect(() => render(name, 'developer'), name).toThrow(/developer/);
    }
    expect(() => render('gemma', 'two questions')).toThrowError(
      expect.objectContaining({ hint: expect.stringContaining('join consecutive messages') }),
    );
  });

  it('are all listed in the documentation', () => {
    const path = fileURLToPath(file('../../../docs/templates.md'));
    const text = readFileSync(path, 'utf8');
    for (const name of NAMED_TEMPLATES.keys()) expect(text).toContain(`\`${name}\``);
  });
});
