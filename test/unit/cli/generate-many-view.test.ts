import { describe, expect, it } from 'vitest';
import { InOrder } from '../../../src/cli/generate-many-view.js';
import type { GeneratedSequence } from '../../../src/index.js';

describe('InOrder', () => {
  it('passes on sequences by prompt and sample, each as soon as possible', () => {
    const written: string[] = [];
    const order = new InOrder(2, ({ promptIndex, sampleIndex }) =>
      written.push(`${promptIndex}.${sampleIndex}`),
    );
    const add = (promptIndex: number, sampleIndex: number) => {
      order.add({ promptIndex, sampleIndex } as GeneratedSequence);
      return written.join(' ');
    };
    expect(add(1, 0)).toBe('');
    expect(add(0, 0)).toBe('0.0');
    expect(add(1, 1)).toBe('0.0');
    expect(add(0, 1)).toBe('0.0 0.1 1.0 1.1');
    expect(add(2, 0)).toBe('0.0 0.1 1.0 1.1 2.0');
  });
});
