import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '../../config/parse.js';
import { pricesSchema, type SuitePrices } from '../../config/suite.js';
import { LlamatuneError } from '../../errors.js';
import { replaceFile } from '../../files/atomic-file.js';
import type { PlannedTrial } from './plan.js';
import { type SuiteResults, suiteResultsSchema, type TrialResult } from './results.js';

export const resultsPath = (folder: string): string => join(folder, 'results.json');

/** Writes results.json; it is always complete and valid, also between two trials. */
export function writeResults(folder: string, results: SuiteResults): void {
  replaceFile(resultsPath(folder), `${JSON.stringify(results, null, 2)}\n`, 'benchmark results');
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
export function readResults(path: string): SuiteResults {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw invalid(path, (cause as Error).message, cause);
  }
  const parsed = suiteResultsSchema.safeParse(found);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw invalid(path, `${issue.path.join('.') || 'the file'}: ${issue.message}`);
}

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

function invalid(path: string, reason: string, cause?: unknown): LlamatuneError {
  return new LlamatuneError('RESULTS_INVALID', `cannot read the results in '${path}': ${reason}`, {
    hint: 'pass a results.json that llamatune bench wrote',
    ...(cause === undefined ? {} : { cause }),
  });
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
    refuseForeignFiles(folder, resume);
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

/** What the end of a suite writes. */
const REPORT = ['summary.md', 'summary.txt', 'report.html', 'charts'];
/** What its first trial writes, before there are results. */
const READINGS = ['hardware.csv', 'logs'];

/** A folder without results may hold files of the user with the same names, which would be lost. */
function refuseForeignFiles(folder: string, resume: boolean): void {
  const names = resume ? REPORT : [...REPORT, ...READINGS];
  const found = names.filter((name) => existsSync(join(folder, name)));
  if (found.length === 0) return;
  throw new LlamatuneError(
    'RESULTS_EXIST',
    `'${folder}' has no results.json, but ${found.join(', ')}, which would be overwritten`,
    { hint: 'choose an empty folder' },
  );
}

/** As it is after writing and reading JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
