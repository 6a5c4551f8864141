import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { LlamatuneError } from '../../errors.js';
import { replaceFile } from '../../files/atomic-file.js';
import { csvLine, READING_COLUMNS, readingCells } from '../../hardware/csv.js';
import type { TimeSpan } from '../../hardware/power.js';
import type { Reading } from '../../hardware/reading.js';

const hardwarePath = (folder: string): string => join(folder, 'hardware.csv');

/** Starts hardware.csv, with the lines of the trials that have results already. */
export async function startHardwareFile(
  folder: string,
  finished: ReadonlySet<string>,
): Promise<void> {
  const path = hardwarePath(folder);
  const text = await readFile(path, 'utf8').catch(() => '');
  // the last line is incomplete if the process was killed while it was written
  const [, ...rows] = parse(text, { skip_records_with_error: true }) as string[][];
  const kept = rows.filter(([trial]) => finished.has(trial!));
  replaceFile(
    path,
    [['trial', ...READING_COLUMNS], ...kept].map(csvLine).join(''),
    'hardware readings',
  );
}

/**
 * Adds the readings of a trial.
 *
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export async function addReadings(
  folder: string,
  key: string,
  readings: readonly Reading[],
  measured: TimeSpan | null,
): Promise<void> {
  const lines = readingCells(readings, measured).map((cells) => csvLine([key, ...cells]));
  const path = hardwarePath(folder);
  try {
    await appendFile(path, lines.join(''));
  } catch (cause) {
    throw new LlamatuneError(
      'OUTPUT_NOT_WRITABLE',
      `cannot write the hardware readings '${path}': ${(cause as Error).message}`,
      { hint: 'check permissions and free space, then continue with resume (--resume)', cause },
    );
  }
}
