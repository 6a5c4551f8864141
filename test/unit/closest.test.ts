import { describe, expect, it } from 'vitest';
import { closest } from '../../src/closest.js';

describe('closest', () => {
  it('takes a swap of neighbours for one slip', () => {
    expect(closest('modle', ['mode', 'model'])).toBe('mode');
    expect(closest('modle', ['model', 'mode'])).toBe('model');
    expect(closest('taregts', ['lora.targets', 'stop'])).toBe('lora.targets');
  });

  it('finds a slip and nothing that is far away', () => {
    expect(closest('genrate', ['finetune', 'generate'])).toBe('generate');
    expect(closest('zzz', ['finetune', 'generate'])).toBeUndefined();
  });
});
