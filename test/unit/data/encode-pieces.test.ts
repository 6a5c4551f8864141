import { describe, expect, it } from 'vitest';
import { PieceEncoder } from '../../../src/data/encode-pieces.js';
import { ByteModel } from './byte-model.js';

/** Converts text to lower case, so that its tokens do not spell the text. */
class LowerCaseModel extends ByteModel {
  override tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array {
    return super.tokenize(text.toLowerCase(), addSpecial, parseSpecial);
  }
}

/** Drops white space after control tokens, like some vocabularies. */
class StrippingModel extends ByteModel {
  override tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array {
    return super.tokenize(text.replace(/(<\|im_end\|>)\s+/g, '$1'), addSpecial, parseSpecial);
  }
}

const pieces = [
  { text: 'Ab<|im_end|>\n', weight: 0 },
  { text: 'Cd', weight: 1 },
];

describe('PieceEncoder', () => {
  it('marks the tokens of target pieces', () => {
    const model = new ByteModel();
    const sample = new PieceEncoder(model).encode(pieces);
    expect(model.text(sample.tokens)).toBe('Ab<|im_end|>\nCd');
    expect(model.targetText(sample)).toBe('Cd');
  });

  it('skips empty pieces, and returns no tokens for an empty text', () => {
    const encoder = new PieceEncoder(new ByteModel());
    expect(encoder.encode([{ text: '', weight: 1 }]).tokens).toHaveLength(0);
    expect(encoder.encode([{ text: '', weight: 1 }, ...pieces])).toEqual(encoder.encode(pieces));
  });

  it('refuses a vocabulary that rewrites texts, if there are several pieces', () => {
    const encoder = new PieceEncoder(new LowerCaseModel());
    expect(() => encoder.encode(pieces)).toThrowError(
      expect.objectContaining({ code: 'TOKENIZER_INEXACT' }),
    );
    expect(encoder.encode(pieces.slice(1)).tokens).toHaveLength(2);
  });

  it('accepts a vocabulary that drops white space', () => {
    const model = new StrippingModel();
    expect(model.text(new PieceEncoder(model).encode(pieces).tokens)).toBe('Ab<|im_end|>Cd');
  });

  it('reads lone surrogates as UTF-8 does', () => {
    const model = new ByteModel();
    const sample = new PieceEncoder(model).encode([
      { text: 'a', weight: 0 },
      { text: '\ud800', weight: 1 },
    ]);
    expect(model.targetText(sample)).toBe('\ufffd');
  });
});
