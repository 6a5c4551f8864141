import { describe, expect, it } from 'vitest';
import { SHAPES, shapeOf, vocabularyOf } from '../../../../src/bench/suite/shapes.js';

describe('shapeOf', () => {
  it('is a known shape, with changes after commas', () => {
    expect(shapeOf('shape:qwen3-0.6b')).toEqual(SHAPES['qwen3-0.6b']);
    expect(shapeOf('shape:qwen3-30b-a3b,experts=16,layers=4')).toEqual({
      ...SHAPES['qwen3-30b-a3b'],
      experts: 16,
      layers: 4,
    });
  });

  it.each(['shape:qwen9', 'shape:', 'shape:toString'])('refuses %s', (model) => {
    expect(() => shapeOf(model)).toThrow(/there is no shape/);
  });

  it.each(['layers', 'layers=0', 'layers=x', 'path=3', 'layers=1e3'])(
    'refuses the change %s',
    (change) => {
      expect(() => shapeOf(`shape:qwen3-0.6b,${change}`)).toThrow(/changes no number/);
    },
  );
});

describe('vocabularyOf', () => {
  it('has the 256 bytes and no token twice', () => {
    const { tokens, tokenTypes, eosToken } = vocabularyOf(1000);
    expect(new Set(tokens).size).toBe(1000);
    expect(tokenTypes).toHaveLength(1000);
    expect(tokenTypes.filter((type) => type === 1)).toHaveLength(256);
    expect(tokenTypes[eosToken]).toBe(3);
  });
});
