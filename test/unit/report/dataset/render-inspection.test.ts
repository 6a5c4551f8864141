import { describe, expect, it } from 'vitest';
import type { DatasetInspection } from '../../../../src/inspect/result.js';
import { renderInspection } from '../../../../src/report/dataset/render-inspection.js';

const inspection: DatasetInspection = {
  model: 'base.gguf',
  files: ['train.jsonl'],
  settings: {
    ...{ loss: 'assistant', sequenceLength: 64, overlength: 'truncate' },
    ...{ batchSize: 8, microBatchTokens: 1024 },
  },
  rows: 12,
  forms: { chat: 9, completion: 1, text: 0, tokens: 0 },
  samples: 10,
  tokens: 400,
  targetTokens: 100,
  lengths: {
    ...{ shortest: 3, median: 20, mean: 41.25, p95: 80, longest: 80 },
    histogram: [
      { from: 1, to: 16, samples: 8 },
      { from: 17, to: 24, samples: 1 },
    ],
  },
  tooLong: {
    ...{ rows: 2, truncated: 2, answersCut: 1, split: 0, skipped: 0, refused: 0 },
    examples: [{ where: 'train.jsonl:3', detail: '80 tokens' }],
  },
  badRows: [
    {
      ...{ code: 'DATASET_INVALID_ROW', message: 'repair it', rows: 2 },
      examples: [{ where: 'train.jsonl:5', detail: 'text: expected string' }],
    },
  ],
  suspicious: [
    {
      ...{ code: 'EMPTY_ANSWER', message: 'nothing is learned', rows: 1 },
      examples: [{ where: 'train.jsonl:6', detail: '<b>&' }],
    },
  ],
  duplicates: {
    rows: 1,
    remembered: 9,
    examples: [{ where: 'train.jsonl:9', detail: 'repeats train.jsonl:1' }],
  },
  layouts: [{ layout: 'padding-free', computedTokens: 416, padding: 16 / 416 }],
  preview: [
    {
      ...{ where: 'train.jsonl:1', tokens: 9, targetTokens: 4, shortened: false },
      parts: [
        { text: '<s>\x1b[31mHi\n', weight: 0 },
        { text: 'Yes\nNo', weight: 1 },
        { text: '</s>', weight: 0.5 },
      ],
    },
  ],
};

describe('renderInspection', () => {
  it('writes text with what is learned in brackets', async () => {
    await expect(renderInspection(inspection, { format: 'text' })).toMatchFileSnapshot(
      'golden/inspection.txt',
    );
  });

  it('writes text in color, line by line, without the control characters of the data', () => {
    const text = renderInspection(inspection, { format: 'text', color: true });
    expect(text).toContain('\x1b[2m<s>␛[31mHi\x1b[0m\n\x1b[32mYes↵\x1b[0m\n\x1b[32mNo\x1b[0m');
    expect(text).toContain('\x1b[33m</s>\x1b[0m');
  });

  it('writes a page that escapes what the data has, and refers to nothing outside itself', () => {
    const page = renderInspection(inspection, { format: 'html' });
    expect(page).toContain(
      '&lt;s&gt;␛[31mHi\n<mark>Yes↵\nNo</mark><mark class="weighted" title="weight 0.5">&lt;/s&gt;</mark>',
    );
    expect(page).toContain('&lt;b&gt;&amp;');
    expect(page).not.toMatch(/(src|href)="(?!data:,)/);
  });

  it('writes Markdown, and JSON that is the result itself', () => {
    expect(renderInspection(inspection, { format: 'markdown' })).toContain('⟦Yes↵\nNo⟧⟦0.5: </s>⟧');
    expect(JSON.parse(renderInspection(inspection, { format: 'json' }))).toEqual(inspection);
  });

  it('says that duplicates were searched among some rows only', () => {
    const many = { ...inspection, rows: 1000 };
    expect(renderInspection(many, { format: 'text' })).toContain('1 of the first 9 different rows');
  });
});
