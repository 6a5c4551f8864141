import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonLines, readResultsFile, refuseExisting } from '../../../src/files/results-files.js';
import { folderPerTest } from '../../folder-per-test.js';

const at = folderPerTest();

describe('refuseExisting', () => {
  it('names every file and folder that would be overwritten', () => {
    refuseExisting(at('new'), ['results.json', 'charts']);
    mkdirSync(at('charts'));
    writeFileSync(at('results.json'), '{}');
    expect(() => refuseExisting(at(''), ['results.json', 'charts', 'summary.md'])).toThrow(
      expect.objectContaining({
        code: 'RESULTS_EXIST',
        message: expect.stringContaining('already has results.json, charts, which'),
      }),
    );
  });
});

describe('readResultsFile', () => {
  const schema = z.object({ version: z.literal(1) });
  const read = () => readResultsFile(at('results.json'), schema, 'pass another file');

  it('returns what the schema accepts', () => {
    writeFileSync(at('results.json'), '{"version":1}');
    expect(read()).toEqual({ version: 1 });
  });

  it.each([
    ['a missing file', null, 'no such file'],
    ['a file that is not JSON', '{', 'JSON'],
    ['another version', '{"version":2}', 'version'],
    ['another value', 'null', 'the file'],
  ])('refuses %s', (_, text, reason) => {
    if (text !== null) writeFileSync(at('results.json'), text);
    expect(read).toThrow(
      expect.objectContaining({
        code: 'RESULTS_INVALID',
        message: expect.stringContaining(reason),
        hint: 'pass another file',
      }),
    );
  });
});

describe('jsonLines', () => {
  it('ends every row with a line break', () => {
    expect(jsonLines([{ a: 1 }, { b: 'x\ny' }])).toBe('{"a":1}\n{"b":"x\\ny"}\n');
    expect(jsonLines([])).toBe('');
  });
});
