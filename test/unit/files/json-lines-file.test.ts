import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JsonLinesFile, readJsonLinesFile } from '../../../src/files/json-lines-file.js';
import { folderPerTest } from '../../folder-per-test.js';

interface Row {
  n: number;
}
const at = folderPerTest();
const path = () => at('folder/rows.jsonl');
const open = () => new JsonLinesFile<Row>(path(), 'rows');

describe('JsonLinesFile', () => {
  it('is sorted in the end, whatever the order of the rows', () => {
    using written = open();
    for (const n of [3, 1, 2]) written.add({ n });
    expect(readJsonLinesFile(path(), 'rows')).toEqual([{ n: 3 }, { n: 1 }, { n: 2 }]);
    written.finish((a, b) => a.n - b.n);
    expect(readJsonLinesFile(path(), 'rows')).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it('creates nothing without a row', () => {
    open()[Symbol.dispose]();
    expect(existsSync(path())).toBe(false);
  });

  it('continues after a kill in the middle of a line', () => {
    const written = open();
    written.add({ n: 1 });
    written[Symbol.dispose]();
    appendFileSync(path(), '{"n":2,"incompl');
    using continued = open();
    expect(continued.rows).toEqual([{ n: 1 }]);
    continued.add({ n: 2 });
    expect(readFileSync(path(), 'utf8')).toBe('{"n":1}\n{"n":2}\n');
  });

  it.each(['not JSON', 'null', '5', '[]', ''])('refuses the damaged line %j', (line) => {
    writeFileSync(at('rows.jsonl'), `${line}\n`);
    expect(() => new JsonLinesFile(at('rows.jsonl'), 'rows')).toThrow(
      expect.objectContaining({ code: 'RESULTS_INVALID' }),
    );
  });
});
