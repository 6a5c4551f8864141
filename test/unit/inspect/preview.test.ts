import { describe, expect, it } from 'vitest';
import { TokenSpeller } from '../../../src/data/token-speller.js';
import { previewRow } from '../../../src/inspect/preview.js';
import { ByteModel } from '../data/byte-model.js';

const model = new ByteModel();
const speller = new TokenSpeller(model);

describe('previewRow', () => {
  it('joins tokens of one weight, with whole characters', () => {
    const tokens = model.tokenize('ab é<|im_end|>', false, true);
    const weights = Float32Array.from(tokens, (_, i) => (i < 2 ? 0 : i < 5 ? 1 : 0.5));
    expect(previewRow({ tokens, weights }, 'a:1', speller)).toEqual({
      ...{ where: 'a:1', tokens: 6, targetTokens: 4, shortened: false },
      parts: [
        { text: 'ab', weight: 0 },
        { text: ' é', weight: 1 },
        { text: '<|im_end|>', weight: 0.5 },
      ],
    });
  });

  it('shows the start of a long row', () => {
    const tokens = new Int32Array(3000).fill(70);
    const row = previewRow({ tokens, weights: new Float32Array(3000) }, 'a:1', speller);
    expect(row).toMatchObject({ tokens: 3000, shortened: true });
    expect(row.parts[0]!.text).toHaveLength(2000);
  });
});
