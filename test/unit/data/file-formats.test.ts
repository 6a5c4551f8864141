import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteFile } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { readRows } from '../../../src/data/readers.js';
import { temporaryDirectory } from './temporary.js';

async function rowsOf(path: string) {
  const rows = [];
  for await (const row of readRows(path)) rows.push(row);
  return rows;
}

function read(name: string, content: string | Uint8Array) {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, content);
  return rowsOf(path);
}

const rows = [{ text: 'é🙂' }, { text: 'two' }];
const jsonl = rows.map((row) => `${JSON.stringify(row)}\n`).join('');

describe('JSON', () => {
  it('reads an array, in lines or not, whatever the name', async () => {
    const expected = rows.map((row) => ({ row, line: 1 }));
    expect(await read('a.json', JSON.stringify(rows))).toEqual(expected);
    expect(await read('a.jsonl', JSON.stringify(rows))).toEqual(expected);
    expect(await read('b.json', JSON.stringify(rows, null, 2))).toEqual([
      { row: rows[0], line: 2 },
      { row: rows[1], line: 5 },
    ]);
    expect(await read('c.json', jsonl)).toEqual(rows.map((row, i) => ({ row, line: i + 1 })));
  });

  it('says which row of an array is not JSON', async () => {
    await expect(read('d.json', '[\n{"a": 1},\n{"a": x}\n]')).rejects.toMatchObject({
      code: 'DATASET_INVALID_JSON',
      message: expect.stringMatching(/d\.json:3: the row is not JSON/),
    });
  });

  it.each(['NaN', '-Infinity', 'True'])('names %s, which Python writes', async (word) => {
    const text = `{"a": "NaN in a text", "b": ${word}}`;
    await expect(read('e.jsonl', text)).rejects.toThrow(
      new RegExp(`e\\.jsonl:1: ${word} is not JSON, though Python writes it`),
    );
  });
});

describe('TSV', () => {
  it('reads cells between tabs', async () => {
    expect(await read('a.tsv', 'prompt\tcompletion\na, b\t"c\td"\n')).toEqual([
      { row: { prompt: 'a, b', completion: 'c\td' }, line: 2 },
    ]);
  });
});

describe('gzip', () => {
  const expected = rows.map((row, i) => ({ row, line: i + 1 }));

  it.each(['a.jsonl.gz', 'a.gz', 'without-extension'])('reads %s', async (name) => {
    expect(await read(name, gzipSync(jsonl))).toEqual(expected);
  });

  it('reads compressed tables', async () => {
    expect(await read('a.csv.gz', gzipSync('text\nx\n'))).toEqual([
      { row: { text: 'x' }, line: 2 },
    ]);
  });

  it('reads rows before the end of a large file', async () => {
    const path = join(temporaryDirectory(), 'large.jsonl.gz');
    const filler = '{"text":"filler"}\n'.repeat(300_000);
    // the end of the file is cut off
    writeFileSync(path, gzipSync(`{"text":"first"}\n${filler}`).subarray(0, -1000));
    for await (const { row } of readRows(path)) {
      expect(row).toEqual({ text: 'first' });
      break;
    }
    await expect(rowsOf(path)).rejects.toMatchObject({
      code: 'DATASET_UNREADABLE',
      hint: expect.stringContaining('damaged or incomplete'),
    });
  });
});

describe('UTF-16', () => {
  const littleEndian = Buffer.from(`\ufeff${jsonl.repeat(50_000)}`, 'utf16le');

  it.each([
    ['little-endian', littleEndian],
    ['big-endian', Buffer.from(littleEndian).swap16()],
  ])('reads %s files with a byte-order mark', async (_, bytes) => {
    const found = await read('utf16.jsonl', bytes);
    expect(found).toHaveLength(100_000);
    expect(found.at(-2)).toEqual({ row: rows[0], line: 99_999 });
  });

  it('names damaged text', async () => {
    const odd = littleEndian.subarray(0, 41);
    await expect(read('odd.jsonl', odd)).rejects.toMatchObject({
      code: 'DATASET_ENCODING',
      message: expect.stringContaining('UTF-16LE'),
    });
  });
});

describe('Parquet', () => {
  function write(name: string, columnData: Parameters<typeof parquetWriteFile>[0]['columnData']) {
    const filename = join(temporaryDirectory(), name);
    parquetWriteFile({ filename, columnData, rowGroupSize: 2 });
    return filename;
  }

  it('reads texts, nested values and integers, over row groups', async () => {
    const messages = [
      [{ role: 'user', content: 'q' }],
      [{ role: 'user', content: 'r' }],
      [{ role: 'user', content: 's' }],
    ];
    const path = write('a.parquet', [
      { name: 'messages', data: messages, type: 'JSON' },
      { name: 'id', data: [1n, 2n, 3n], type: 'INT64' },
    ]);
    expect(await rowsOf(path)).toEqual(
      messages.map((each, i) => ({ row: { messages: each, id: i + 1 }, line: i + 1 })),
    );
  });

  it('names an integer that no number can hold', async () => {
    const path = write('b.parquet', [{ name: 'id', data: [1n, 2n ** 60n + 1n], type: 'INT64' }]);
    await expect(rowsOf(path)).rejects.toThrow(/b\.parquet:2: the integer 1152921504606846977/);
  });

  it('refuses a column that is not in the schema, whose errors would end the process', async () => {
    const path = write('d.parquet', [
      { name: 'prompt', data: ['a', 'b'] },
      { name: 'completion', data: ['c', 'd'] },
    ]);
    const bytes = readFileSync(path);
    // the last of these names is that of a column in the row group; the pages at the start are damaged
    bytes.write('c', bytes.lastIndexOf('prompt'));
    bytes.fill(0xff, 4, 20);
    await expect(read('d.parquet', bytes)).rejects.toMatchObject({
      code: 'DATASET_INVALID_PARQUET',
      message: expect.stringContaining('differ from the schema'),
    });
  });

  it('refuses other files, and missing ones', async () => {
    await expect(read('c.parquet', 'not parquet at all')).rejects.toMatchObject({
      code: 'DATASET_INVALID_PARQUET',
    });
    await expect(rowsOf(join(temporaryDirectory(), 'missing.parquet'))).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
    });
  });
});
