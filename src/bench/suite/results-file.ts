import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '../../config/parse.js';
import { pricesSchema, type SuitePrices } from '../../config/suite.js';
import { LlamatuneError } from '../../errors.js';
import { replaceFile } from '../../files/atomic-file.js';
import { REPORT_NAMES } from '../../files/names.js';
import { indentedJson, readResultsFile, refuseExisting } from '../../files/results-files.js';
import type { PlannedTrial } from './plan.js';
import { type SuiteResults, suiteResultsSchema, type TrialResult } from './results.js';

export const resultsPath = (folder: string): string => join(folder, 'results.json');

/** Writes results.json; it is always complete and valid, also between two trials. */
export function writeResults(folder: string, results: SuiteResults): void {
  replaceFile(resultsPath(folder), indentedJson(results), 'benchmark results');
}

/** The folder of the raw logs, one file per trial. */
export const logsFolder = (folder: string): string => join(folder, 'logs');

/** Writes what the process of a trial wrote to standard error: its raw measurements and messages of libraries. */
export function writeTrialLog(folder: string, index: number, key: string, log: string): void {
  const number = String(index + 1).padStart(3, '0');
  const name = key.replaceAll(/[^\w.-]+/g, '-').slice(0, 100);
  replaceFile(join(logsFolder(folder), `${number}-${name}.log`), log, 'log of a trial');
}

/**
 * Reads a results.json.
 *
 * @throws LlamatuneError RESULTS_INVALID
 */
export const readResults = (path: string): SuiteResults =>
  readResultsFile(path, suiteResultsSchema, 'pass a results.json that llamatune bench wrote');

/**
 * Results with other prices, for the costs in their report. A price that is undefined stays as it is.
 *
 * @throws LlamatuneError CONFIG_INVALID
 */
export function withPrices(results: SuiteResults, prices: SuitePrices): SuiteResults {
  const given = Object.entries(prices).filter(([, price]) => price !== undefined);
  const checked = parseConfig(pricesSchema, Object.fromEntries(given), 'prices');
  return { ...results, suite: { ...results.suite, ...checked } };
}

/**
 * The trials that an earlier call with this folder finished.
 *
 * @throws LlamatuneError RESULTS_EXIST unless `resume`, RESULTS_INVALID, and RESULTS_MISMATCH if a finished trial was
 * planned differently
 */
export function finishedTrials(
  folder: string,
  planned: readonly PlannedTrial[],
  resume: boolean,
): TrialResult[] {
  const path = resultsPath(folder);
  if (!existsSync(path)) {
    // Without results, files with these names are the user's.
    refuseExisting(folder, resume ? REPORT_NAMES : [...REPORT_NAMES, ...READINGS]);
    return [];
  }
  if (!resume) {
    throw new LlamatuneError('RESULTS_EXIST', `there are already results in '${folder}'`, {
      hint: 'continue them with resume (--resume), or choose another folder',
    });
  }
  const known = new Map(planned.map((trial) => [trial.key, trial]));
  const { trials } = readResults(path);
  const different = trials.filter(({ key, spec }) => {
    const same = known.get(key)?.spec;
    return same === undefined || !isDeepStrictEqual(plain(same), plain(spec));
  });
  if (different.length > 0) {
    throw new LlamatuneError(
      'RESULTS_MISMATCH',
      `the results in '${folder}' have trials that this suite does not have: ${different.map(({ key }) => key).join('; ')}`,
      { hint: 'continue with the same suite, or choose another folder' },
    );
  }
  return trials;
}

/** What the first trial of a suite writes, before there are results. */
const READINGS = ['hardware.csv', 'logs'];

/** As it is after writing and reading JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
