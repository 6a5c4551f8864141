import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodeGiven, readPrompts } from '../../../src/generate/read-prompts.js';
import { ByteModel } from '../data/byte-model.js';
import { temporaryDirectory } from '../data/temporary.js';

function fileOf(bytes: string | Uint8Array): string {
  const path = join(temporaryDirectory(), 'prompts.txt');
  writeFileSync(path, bytes);
  return path;
}

async function promptsOf(path: string): Promise<unknown[]> {
  const prompts: unknown[] = [];
  for await (const { prompt, where } of readPrompts(path)) prompts.push([where, prompt]);
  return prompts;
}

describe('readPrompts', () => {
  const expected = [
    ['prompts.txt:1', 'The sun'],
    ['prompts.txt:3', 'The möon'],
  ];

  it('reads a line of a text file as a prompt, without blank lines', async () => {
    expect(await promptsOf(fileOf('The sun\r\n\r\nThe möon\r\n'))).toEqual(expected);
  });

  it('drops a byte-order mark, and reads UTF-16 and gzip', async () => {
    const text = '\uFEFFThe sun\n\nThe möon';
    expect(await promptsOf(fileOf(text))).toEqual(expected);
    expect(await promptsOf(fileOf(Buffer.from(text, 'utf16le')))).toEqual(expected);
    expect(await promptsOf(fileOf(gzipSync(text)))).toEqual(expected);
  });

  it('refuses other encodings and missing files', async () => {
    await expect(promptsOf(fileOf(Uint8Array.of(0x41, 0xff)))).rejects.toMatchObject({
      code: 'DATASET_ENCODING',
    });
    await expect(promptsOf(join(temporaryDirectory(), 'none.txt'))).rejects.toMatchObject({
      code: 'PROMPTS_NOT_READABLE',
      message: expect.stringContaining('ENOENT'),
    });
  });
});

describe('encodeGiven', () => {
  const chatTemplate =
    '{% for tool in tools or [] %}{{ tool.name }};{% endfor %}{{ messages[0].content }}';
  const model = new ByteModel();
  const textOf = (prompt: unknown, tools?: unknown[]): string =>
    model.text(encodeGiven(model, { prompt, where: 'prompts[0]' }, { chatTemplate, tools }));
  const messages = [{ role: 'user', content: 'hi' }];

  it('takes texts, and messages as a list or in an object', () => {
    expect(textOf('hi')).toBe('hi');
    expect(textOf({ prompt: 'hi', completion: 'x' })).toBe('hi');
    for (const prompt of [messages, { messages }, { prompt: messages }])
      expect(textOf(prompt, [{ name: 'a' }])).toBe('a;hi');
  });

  it('takes tools of a prompt as a list or as JSON text, instead of those of the call', () => {
    for (const tools of [[{ name: 'b' }], '[{"name":"b"}]'])
      expect(textOf({ messages, tools }, [{ name: 'a' }])).toBe('b;hi');
  });

  it('refuses tools with a text, to which no template adds them', () => {
    const refused = 'prompts[0]: expected messages, which take tools, but received a text';
    for (const prompt of ['hi', { prompt: 'hi' }])
      expect(() => textOf(prompt, [{ name: 'a' }])).toThrow(refused);
    expect(() => textOf({ prompt: 'hi', tools: [{ name: 'a' }] })).toThrow(refused);
    expect(textOf({ prompt: 'hi', tools: [] })).toBe('hi');
  });

  it('refuses wrong prompts and tools', () => {
    expect(() => textOf({ messages, tools: 'b' })).toThrow(
      'prompts[0]: tools: expected a list, or JSON text of a list',
    );
    expect(() => textOf({ prompt: 5 })).toThrow('prompts[0]: prompt: expected');
    expect(() => textOf({ messages: [{ role: 'user' }] })).toThrow('prompts[0]: messages.');
    expect(() => textOf({ question: 'hi' })).toThrow('received the fields question');
  });
});
