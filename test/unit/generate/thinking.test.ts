import { describe, expect, it } from 'vitest';
import { withoutThinking } from '../../../src/generate/thinking.js';

describe('withoutThinking', () => {
  it('keeps what follows the reasoning', () => {
    expect(withoutThinking('<think>\nYes? No.\n</think>\n\nNo.')).toBe('No.');
    expect(withoutThinking('Yes? </think> No.')).toBe('No.');
    expect(withoutThinking('\n<think> not finished')).toBe('');
    expect(withoutThinking(' Yes.')).toBe(' Yes.');
  });
});
