import { describe, expect, it } from 'vitest';
import { errorEvent, errorText, exitCodeOf } from '../../../src/cli/failure.js';
import { configError } from '../../../src/config/parse.js';
import { LlamatuneError } from '../../../src/errors.js';

const failed = new LlamatuneError('NOT_A_GGUF', 'base.gguf is not a GGUF file', {
  hint: 'check the path',
});

describe('exitCodeOf', () => {
  it.each([
    ['NOT_A_GGUF', 1],
    ['USAGE_INVALID', 2],
    ['CONFIG_INVALID', 2],
    ['CONFIG_NOT_FOUND', 2],
    ['CONFIG_UNREADABLE', 2],
    ['CONFIG_INVALID_JSON', 2],
  ])('%s', (code, exit) => expect(exitCodeOf(new LlamatuneError(code, ''), undefined)).toBe(exit));

  it('is 128 + n after signal n, and 1 for an unexpected error', () => {
    const aborted = new LlamatuneError('ABORTED', '');
    expect(exitCodeOf(aborted, 'SIGINT')).toBe(130);
    expect(exitCodeOf(aborted, 'SIGTERM')).toBe(143);
    expect(exitCodeOf(aborted, 'SIGHUP')).toBe(129);
    expect(exitCodeOf(new TypeError('x'), undefined)).toBe(1);
  });
});

describe('errorText', () => {
  it('has code, message and hint', () => {
    expect(errorText(failed, false)).toBe(
      'error NOT_A_GGUF: base.gguf is not a GGUF file\nhint: check the path\n',
    );
  });

  it('names every problem once', () => {
    const problems = [
      { path: 'lora.rank', message: 'expected a number of at least 1 but received 0' },
      { path: 'epochs', message: 'expected an integer but received 1.5' },
    ];
    for (const list of [problems, problems.slice(1)]) {
      const text = errorText(configError(list), false);
      for (const { path, message } of list)
        expect(text.split(`${path}: ${message}`)).toHaveLength(2);
    }
    const bare = new LlamatuneError('CONFIG_INVALID', 'two problems', { problems });
    expect(errorText(bare, false)).toContain('  - epochs: expected an integer but received 1.5\n');
  });

  it('shows the stack of an unexpected error on request', () => {
    expect(errorText(new TypeError('x'), false)).toContain('error UNEXPECTED: x\n');
    expect(errorText(new TypeError('x'), true)).toContain('failure.test.ts');
  });
});

describe('errorEvent', () => {
  it('is plain data', () => {
    expect(JSON.parse(JSON.stringify(errorEvent(failed)))).toEqual({
      type: 'error',
      code: 'NOT_A_GGUF',
      message: 'base.gguf is not a GGUF file',
      hint: 'check the path',
      problems: [],
    });
  });
});
