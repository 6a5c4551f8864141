import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { datasetFiles, namesFiles } from '../../../src/files/dataset-files.js';

const folder = mkdtempSync(join(tmpdir(), 'dataset-files-'));
const path = (name: string) => join(folder, name);
mkdirSync(path('sub'));
for (const name of ['b.jsonl', 'a.jsonl', 'c.csv', '[x].jsonl', 'sub/d.jsonl']) {
  writeFileSync(path(name), '');
}
afterAll(() => rmSync(folder, { recursive: true }));

const names = (dataset: unknown) => datasetFiles(dataset).map((file) => file.path);

describe('datasetFiles', () => {
  it('takes paths and file URLs', () => {
    expect(names('a.jsonl')).toEqual(['a.jsonl']);
    expect(names(pathToFileURL(path('a.jsonl')))).toEqual([path('a.jsonl')]);
    expect(names(pathToFileURL(path('a.jsonl')).href)).toEqual([path('a.jsonl')]);
  });

  it('finds the files of a pattern, sorted', () => {
    const pattern = path('*.jsonl').replaceAll('\\', '/');
    expect(names(pattern)).toEqual([path('[x].jsonl'), path('a.jsonl'), path('b.jsonl')]);
    expect(names(path('**/*.{csv,jsonl}').replaceAll('\\', '/'))).toHaveLength(5);
  });

  it('takes a file whose name looks like a pattern', () => {
    expect(names(path('[x].jsonl'))).toEqual([path('[x].jsonl')]);
  });

  it('refuses a pattern without files', () => {
    expect(() => names(path('*.parquet'))).toThrow(/no file matches the pattern/);
  });

  it('refuses a URL of another machine', () => {
    expect(() => names('file://host:1/a.jsonl')).toThrow(
      expect.objectContaining({ code: 'DATASET_NOT_FOUND' }),
    );
  });

  it('takes lists with weights', () => {
    expect(datasetFiles(['a.jsonl', { path: 'b.jsonl', weight: 2.5 }])).toEqual([
      { path: 'a.jsonl', weight: 1 },
      { path: 'b.jsonl', weight: 2.5 },
    ]);
  });

  it('is empty for rows from memory', () => {
    expect(datasetFiles([{ text: 'x' }])).toEqual([]);
    expect(datasetFiles([])).toEqual([]);
    expect(datasetFiles([{ path: 'source.html', text: 'x' }])).toEqual([]);
    expect(namesFiles(new Set(['x']))).toBe(false);
  });
});
