import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type JudgeOptions, judgeSchema } from '../../../src/config/judge.js';
import { parseConfig } from '../../../src/config/parse.js';
import { readAnswers } from '../../../src/judge/samples.js';
import { folderPerTest } from '../../folder-per-test.js';

const at = folderPerTest();
const read = (options: Omit<JudgeOptions, 'model'>) =>
  readAnswers(parseConfig(judgeSchema, { model: 'judge.gguf', ...options }));

const sample = (system: string, index: number, output: string, more: object = {}) => ({
  ...{ system, index, output, prompt: `question ${index}` },
  ...more,
});

describe('readAnswers', () => {
  it('reads files and rows, and names systems', async () => {
    const lines = [sample('base', 1, 'b1'), sample('base', 0, 'b0', { reference: 'r' })];
    writeFileSync(at('base.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
    const messages = [{ role: 'user', content: 'question 0' }];
    const answers = await read({
      samples: [
        at('base.jsonl'),
        {
          system: 'tuned',
          samples: [
            { index: 0, output: 't0', prompt: messages },
            { index: 1, output: 't1', finishReason: 'eos' } as { index: number; output: string },
          ],
        },
      ],
    });
    expect(answers.systems).toEqual(['base', 'tuned']);
    expect(answers.rows).toEqual([
      {
        ...{ index: 0, sample: 0, prompt: 'question 0', reference: 'r' },
        outputs: new Map([
          ['base', 'b0'],
          ['tuned', 't0'],
        ]),
      },
      {
        ...{ index: 1, sample: 0, prompt: 'question 1', reference: null },
        outputs: new Map([
          ['base', 'b1'],
          ['tuned', 't1'],
        ]),
      },
    ]);
  });

  it('reads pairs as systems a and b', async () => {
    const { systems, rows } = await read({ pairs: [{ prompt: 'Why?', a: 'x', b: 'y' }] });
    expect(systems).toEqual(['a', 'b']);
    expect(rows[0]!.outputs.get('b')).toBe('y');
  });

  const two = (...samples: ReturnType<typeof sample>[]) =>
    read({
      samples: [
        { system: 'x', samples: [sample('-', 0, 'o')] },
        { system: 'y', samples },
      ],
    });

  it.each([
    ['a missing row', [], 'SAMPLES_INVALID', "only 'x'"],
    ['another row', [sample('-', 1, 'o')], 'SAMPLES_MISMATCH', "'x' has no answer for 1 of 2"],
    [
      'another sample',
      [sample('-', 0, 'o'), sample('-', 0, 'o', { sample: 1 })],
      'SAMPLES_MISMATCH',
      'row 0, sample 1',
    ],
    [
      'another prompt',
      [sample('-', 0, 'o', { prompt: 'other' })],
      'SAMPLES_MISMATCH',
      'the prompts of row 0, sample 0 differ between samples.0[0] and samples.1[0]',
    ],
    [
      'a row twice',
      [sample('-', 0, 'o'), sample('-', 0, 'p')],
      'SAMPLES_INVALID',
      "samples.1[1]: 'y' has another answer for row 0, sample 0, at samples.1[0]",
    ],
  ])('refuses %s', async (_, samples, code, message) => {
    await expect(two(...samples)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('names the field of a wrong line and its file', async () => {
    writeFileSync(at('bad.jsonl'), '{"index": 0, "system": "x", "output": 3}\n');
    await expect(read({ samples: [at('bad.jsonl')] })).rejects.toMatchObject({
      code: 'SAMPLES_INVALID',
      message: 'bad.jsonl:1: output: expected a string but received 3',
    });
    await expect(read({ samples: [{ system: 'x', samples: [] }] })).rejects.toMatchObject({
      message: 'a comparison needs two systems but there is none',
    });
    const unnamed = [{ index: 0, output: 'o' }];
    writeFileSync(at('unnamed.jsonl'), JSON.stringify(unnamed[0]));
    await expect(read({ samples: [at('unnamed.jsonl')] })).rejects.toThrow(
      'unnamed.jsonl:1: the answer has no system',
    );
  });
});
