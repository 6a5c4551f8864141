import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readSamples } from '../../../src/raft/samples.js';
import { folderPerTest } from '../../folder-per-test.js';
import { sampleOf } from './samples.js';

const at = folderPerTest();

it('reads samples, and refuses those without a field', () => {
  const { verdict: _, ...damaged } = sampleOf();
  writeFileSync(at('good.jsonl'), `${JSON.stringify(sampleOf())}\n`);
  expect(readSamples(at('good.jsonl'))).toEqual([sampleOf()]);
  writeFileSync(at('bad.jsonl'), `${JSON.stringify(sampleOf())}\n${JSON.stringify(damaged)}\n`);
  expect(() => readSamples(at('bad.jsonl'))).toThrow(
    expect.objectContaining({
      code: 'RESULTS_INVALID',
      message: expect.stringContaining('line 2 lacks a field'),
    }),
  );
});
