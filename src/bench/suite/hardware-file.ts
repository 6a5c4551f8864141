import { appendFile, readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { LlamatuneError } from '../../errors.js';
import { replaceFile } from '../../files/atomic-file.js';
import { csvLine, READING_COLUMNS, readingCells } from '../../hardware/csv.js';
import type { TimeSpan } from '../../hardware/power.js';
import type { Reading } from '../../hardware/reading.js';

/**
 * Starts a file of readings, with the lines of an earlier call that belong to what has results already.
 *
 * @param column title of the first column, which says what the readings belong to
 */
export async function startHardwareFile(
  path: string,
  column: string,
  isKept: (name: string) => boolean,
): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => '');
  // the last line is incomplete if the process was killed while it was written
  const [, ...rows] = parse(text, { skip_records_with_error: true }) as string[][];
  const kept = rows.filter(([name]) => isKept(name!));
  replaceFile(
    path,
    [[column, ...READING_COLUMNS], ...kept].map(csvLine).join(''),
    'hardware readings',
  );
}

/**
 * Adds readings.
 *
 * @param written number of readings at the start that are in the file already; they tell the power of the next ones
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export async function addReadings(
  path: string,
  name: string,
  readings: readonly Reading[],
  measured: TimeSpan | null,
  written = 0,
): Promise<void> {
  const cells = readingCells(readings, measured).slice(written);
  try {
    await appendFile(path, cells.map((each) => csvLine([name, ...each])).join(''));
  } catch (cause) {
    throw new LlamatuneError(
      'OUTPUT_NOT_WRITABLE',
      `cannot write the hardware readings '${path}': ${(cause as Error).message}`,
      { hint: 'check permissions and free space, then continue with resume (--resume)', cause },
    );
  }
}
