import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type FileRow, readRows } from '../../../src/data/readers.js';
import { temporaryDirectory } from './temporary.js';

function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, content);
  return path;
}

async function readAll(name: string, content: string | Uint8Array): Promise<FileRow[]> {
  const rows: FileRow[] = [];
  for await (const row of readRows(fileOf(name, content))) rows.push(row);
  return rows;
}

const jsonl = (content: string | Uint8Array) => readAll('a.jsonl', content);
const csv = (content: string | Uint8Array) => readAll('a.csv', content);

describe('readRows', () => {
  it('chooses the format by the extension, and JSON Lines by default', async () => {
    expect(await readAll('a.CSV', 'text\nhello\n')).toEqual([{ row: { text: 'hello' }, line: 2 }]);
    expect(await readAll('a.txt', '{"a":1}\n')).toEqual([{ row: { a: 1 }, line: 1 }]);
  });

  it('returns rows before it has read the whole file', async () => {
    const many = 200_000;
    const path = fileOf('a.jsonl', `{"a":1}\n${'{"a":2}\n'.repeat(many)}broken`);
    for await (const { row } of readRows(path)) {
      expect(row).toEqual({ a: 1 });
      break;
    }
    const table = fileOf('a.csv', `a\n1\n${'2\n'.repeat(many)}"not closed`);
    for await (const { row } of readRows(table)) {
      expect(row).toEqual({ a: '1' });
      break;
    }
  });

  it.each([
    ['jsonl', (text: string) => JSON.stringify({ text })],
    ['csv', (text: string) => `text\n"${text}"`],
  ])('reads a .%s row that is longer than a read buffer', async (name, format) => {
    const long = 'é🙂'.repeat(100_000);
    expect((await readAll(`a.${name}`, format(long)))[0]!.row).toEqual({ text: long });
  });

  it.each(['jsonl', 'csv'])('reports missing, unreadable and empty .%s files', async (name) => {
    await expect(readRows(`/no/such/file.${name}`).next()).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
      message: `dataset not found: /no/such/file.${name}`,
    });
    const directory = readRows(temporaryDirectory()).next();
    await expect(directory).rejects.toMatchObject({ code: 'DATASET_UNREADABLE' });
    const empty = readAll(`a.${name}`, '\n\n');
    await expect(empty).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
  });

  it.each(['jsonl', 'csv'])('names the line of .%s text that is not UTF-8', async (name) => {
    await expect(readAll(`a.${name}`, Uint8Array.of(0x0a, 0x22, 0xff, 0x22))).rejects.toMatchObject(
      {
        code: 'DATASET_ENCODING',
        message: expect.stringMatching(/a\.(jsonl|csv):2: the text is not UTF-8/),
      },
    );
  });
});

describe('JSON Lines', () => {
  it('has one row per line; blank lines count as lines', async () => {
    expect(await jsonl('{"a":1}\n\n  \n{"a":2}\n{"a":3}')).toEqual([
      { row: { a: 1 }, line: 1 },
      { row: { a: 2 }, line: 4 },
      { row: { a: 3 }, line: 5 },
    ]);
  });

  it('may start with a byte-order mark and have Windows line ends', async () => {
    const rows = await jsonl('\ufeff{"a":"é🙂"}\r\n{"a":2}\r\n');
    expect(rows.map(({ row }) => row)).toEqual([{ a: 'é🙂' }, { a: 2 }]);
  });

  it('names the line that is not JSON', async () => {
    await expect(jsonl('{"a":1}\n{"a":\n')).rejects.toMatchObject({
      code: 'DATASET_INVALID_JSON',
      message: expect.stringMatching(/a\.jsonl:2: the row is not JSON: .+/),
    });
  });
});

describe('CSV', () => {
  it('takes the column names from its first line', async () => {
    expect(await csv('prompt,completion\n2 + 2?,4\n,empty prompt\n')).toEqual([
      { row: { prompt: '2 + 2?', completion: '4' }, line: 2 },
      { row: { prompt: '', completion: 'empty prompt' }, line: 3 },
    ]);
  });

  it('counts lines through blank lines and quoted line breaks', async () => {
    const rows = await csv('a,b\n1,2\n\n"x\ny, ""z""",3\n\n\n4,5');
    expect(rows).toEqual([
      { row: { a: '1', b: '2' }, line: 2 },
      { row: { a: 'x\ny, "z"', b: '3' }, line: 4 },
      { row: { a: '4', b: '5' }, line: 8 },
    ]);
  });

  it('may start with a byte-order mark and have Windows line ends', async () => {
    const rows = await csv('\ufeffa,b\r\né🙂,2\r\n"1\r\n2",3\r\n');
    expect(rows.map(({ row }) => row)).toEqual([
      { a: 'é🙂', b: '2' },
      { a: '1\r\n2', b: '3' },
    ]);
  });

  it('ignores columns without a name, as spreadsheets add them', async () => {
    expect(await csv('a,,\n1,,\n2,x,\n')).toEqual([
      { row: { a: '1' }, line: 2 },
      { row: { a: '2' }, line: 3 },
    ]);
  });

  it.each([
    ['a,b\n1,2\n3\n', 3, 'the number of cells is 1, but the first line names 2 columns'],
    ['a,b\n1,2,3\n', 2, 'the number of cells is 3, but the first line names 2 columns'],
    ['a,b\n1,2"3"\n', 2, 'quote'],
    ['a,b\n1,"2\n3,4\n', 3, 'the file ends inside a cell'],
    ['a,b,a\n1,2,3\n', 1, "two columns are named 'a'"],
  ])('names the line of a malformed record: %j', async (content, line, what) => {
    await expect(csv(content)).rejects.toMatchObject({
      code: 'DATASET_INVALID_CSV',
      message: expect.stringMatching(new RegExp(`a\\.csv:${line}: .*${what}`)),
    });
  });
});
