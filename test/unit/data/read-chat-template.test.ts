import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NAMED_TEMPLATES } from '../../../src/data/named-templates.js';
import { readChatTemplate } from '../../../src/data/read-chat-template.js';
import { temporaryDirectory } from './temporary.js';

const errorOf = (given: string) => {
  try {
    readChatTemplate(given);
  } catch (error) {
    return error as { code: string; message: string; hint: string };
  }
  throw new Error('expected an error');
};

describe('readChatTemplate', () => {
  it('takes a text, a name in any case, or a file', () => {
    for (const text of ['{{ messages }}', '{% for m in messages %}x{% endfor %}', '{# c #}', '']) {
      expect(readChatTemplate(text)).toBe(text);
    }
    expect(readChatTemplate(undefined)).toBeUndefined();
    expect(readChatTemplate('ChatML')).toBe(NAMED_TEMPLATES.get('chatml'));
    const path = join(temporaryDirectory(), 'chat.jinja');
    writeFileSync(path, '\uFEFF{{ messages[0].content }}');
    expect(readChatTemplate(path)).toBe('{{ messages[0].content }}');
  });

  it('reports a missing file, an unknown name and a folder', () => {
    for (const path of ['missing.jinja', 'missing.j2', './missing']) {
      expect(errorOf(path)).toMatchObject({
        code: 'CHAT_TEMPLATE_NOT_FOUND',
        message: `chat template not found: ${path}`,
      });
    }
    const unknown = errorOf('chatlm');
    expect(unknown).toMatchObject({ code: 'CHAT_TEMPLATE_NOT_FOUND' });
    expect(unknown.message).toContain("'chatlm'");
    for (const name of NAMED_TEMPLATES.keys()) expect(unknown.hint).toContain(name);
    const folder = join(temporaryDirectory(), 'folder.jinja');
    mkdirSync(folder);
    expect(errorOf(folder)).toMatchObject({ code: 'CHAT_TEMPLATE_UNREADABLE' });
    expect(errorOf(`${'x'.repeat(5000)}`).message.length).toBeLessThan(300);
  });
});
