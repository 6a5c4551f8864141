import { describe, expect, it } from 'vitest';
import { closest } from '../../src/closest.js';
import { finetuneSchema } from '../../src/config/finetune.js';
import { shapeOf } from '../../src/config/schema-shape.js';

describe('closest', () => {
  it('counts swapped letters as one edit', () => {
    expect(closest('modle', ['mode', 'model'])).toBe('mode');
    expect(closest('modle', ['model', 'mode'])).toBe('model');
    expect(closest('taregts', ['lora.targets', 'stop'])).toBe('lora.targets');
  });

  it('finds a name one edit away, but no distant name', () => {
    expect(closest('genrate', ['finetune', 'generate'])).toBe('generate');
    expect(closest('zzz', ['finetune', 'generate'])).toBeUndefined();
  });

  it('knows what other trainers and earlier versions call an option', () => {
    const names = Object.keys(shapeOf(finetuneSchema) ?? {});
    expect(names).toContain('overlength');
    expect(closest('recompute', names)).toBe('gradientCheckpointing');
    expect(closest('tooLong', names)).toBe('overlength');
    expect(closest('lr', ['optimizer.learningRate'])).toBe('optimizer.learningRate');
    expect(closest('plusRatio', ['rank', 'loraPlusRatio'])).toBe('loraPlusRatio');
    expect(closest('constructor', names)).toBeUndefined();
  });
});
