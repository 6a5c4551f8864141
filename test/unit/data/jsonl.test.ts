import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type JsonlRow, readJsonl } from '../../../src/data/jsonl.js';
import { temporaryDirectory } from './temporary.js';

async function readAll(content: string | Uint8Array): Promise<{ rows: JsonlRow[]; path: string }> {
  const path = join(temporaryDirectory(), 'a.jsonl');
  writeFileSync(path, content);
  const rows: JsonlRow[] = [];
  for await (const row of readJsonl(path)) rows.push(row);
  return { rows, path };
}

describe('readJsonl', () => {
  it('reads a row a line and counts the lines', async () => {
    const { rows } = await readAll('{"a":1}\n\n  \n{"a":2}\n{"a":3}');
    expect(rows).toEqual([
      { row: { a: 1 }, line: 1 },
      { row: { a: 2 }, line: 4 },
      { row: { a: 3 }, line: 5 },
    ]);
  });

  it('takes a byte-order mark and Windows line ends', async () => {
    const { rows } = await readAll('\ufeff{"a":"é🙂"}\r\n{"a":2}\r\n');
    expect(rows.map(({ row }) => row)).toEqual([{ a: 'é🙂' }, { a: 2 }]);
  });

  it('reads lines that reach over chunks', async () => {
    const long = 'é🙂'.repeat(100_000);
    const { rows } = await readAll(`{"a":"${long}"}\n{"a":"${long}x"}\n{"a":1}`);
    expect(rows.map(({ row }) => (row as { a: unknown }).a)).toEqual([long, `${long}x`, 1]);
  });

  it('hands rows on before it has read the whole file', async () => {
    const path = join(temporaryDirectory(), 'a.jsonl');
    writeFileSync(path, `{"a":1}\n${'{"a":2}\n'.repeat(200_000)}broken`);
    for await (const { row } of readJsonl(path)) {
      expect(row).toEqual({ a: 1 });
      break;
    }
  });

  it('names file and line of what is no JSON', async () => {
    await expect(readAll('{"a":1}\n{"a":\n')).rejects.toMatchObject({
      code: 'DATASET_INVALID_JSON',
      message: expect.stringMatching(/a\.jsonl:2: expected one JSON object but received .+/),
    });
    await expect(readAll(Uint8Array.of(0x22, 0xff, 0x22))).rejects.toMatchObject({
      code: 'DATASET_INVALID_JSON',
      message: expect.stringMatching(/a\.jsonl:1: .*not UTF-8/),
    });
  });

  it('reports missing, unreadable and empty files', async () => {
    const missing = readJsonl('/no/such/file.jsonl').next();
    await expect(missing).rejects.toMatchObject({ code: 'DATASET_NOT_FOUND' });
    const directory = readJsonl(temporaryDirectory()).next();
    await expect(directory).rejects.toMatchObject({ code: 'DATASET_UNREADABLE' });
    await expect(readAll('\n\n')).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
  });
});
