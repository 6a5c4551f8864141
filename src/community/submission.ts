import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { suiteResultsSchema } from '../bench/suite/results.js';
import { logsFolder, readResults, resultsPath } from '../bench/suite/results-file.js';
import { isBuiltInSuite } from '../bench/suite/run-suite.js';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import { namesIn } from '../files/folders.js';
import { temporaryName } from '../files/names.js';
import type { NamedResults } from '../report/community/build-document.js';
import type { ReportFile } from '../report/suite/document-files.js';
import { reportFiles } from '../report/suite/render-report.js';
import { hardwareName } from './hardware-name.js';
import { type PersonalValue, personalValues } from './personal-values.js';
import { submissionReadme } from './readme.js';
import { type Replacement, Scrubber } from './scrub.js';

/** Options of prepareSubmission(). */
export interface SubmissionOptions {
  /** Folder with the results of a whole suite. */
  results: string;
  /** Folder of all submissions. Default: 'benchmarks/community'. */
  output?: string | undefined;
  /** Name of the new folder: small letters, digits, dots and hyphens. Default: made from the hardware. */
  name?: string | undefined;
  /** What must not be in it. Default: names, addresses and serial numbers of this machine. */
  personal?: readonly PersonalValue[] | undefined;
}

/** Results for the community, before they are written. */
export interface Submission {
  /** The folder that writeSubmission() makes. */
  folder: string;
  /** All files, without personal data. */
  files: ReportFile[];
  /** What was replaced in them, and how often. The texts before the replacement are personal data. */
  replaced: (Replacement & { count: number })[];
}

/**
 * Makes the files of a submission: README.md with hardware, versions and commands, results.json, the raw logs, a summary
 * and its charts. User and host names, paths, addresses, serial numbers and secrets of this machine are replaced in
 * every text. Nothing is written, so that a person can look at it first.
 *
 * @throws LlamatuneError RESULTS_INVALID, RESULTS_INCOMPLETE, SUBMISSION_EXISTS, CONFIG_INVALID
 */
export async function prepareSubmission({
  results: source,
  output = join('benchmarks', 'community'),
  name,
  personal,
}: SubmissionOptions): Promise<Submission> {
  const original = readResults(resultsPath(source));
  if (original.finishedAt === null) {
    throw new LlamatuneError('RESULTS_INCOMPLETE', `the suite in '${source}' did not end`, {
      hint: 'run it to its end with resume (--resume)',
    });
  }
  const folderName = name ?? hardwareName(original);
  const folder = resolve(output, checkedName(folderName));
  refuseExisting(folder);
  const scrubber = new Scrubber(personal ?? (await personalValues()));
  const results = suiteResultsSchema.parse(scrubber.json(original));
  const { suite } = results;
  const isBuiltIn = isBuiltInSuite(original.suite);
  const files = [
    { path: 'results.json', text: json(results) },
    ...(isBuiltIn ? [] : [{ path: 'suite.json', text: json(suite) }]),
    ...reportFiles(results).filter(({ path }) => path.endsWith('.svg') || path === 'summary.md'),
    ...rawFiles(source).map(({ path, text }) => ({ path, text: scrubber.lines(text) })),
  ];
  const readme = submissionReadme({ name: folderName, results, isBuiltIn, files });
  return {
    folder,
    files: [{ path: 'README.md', text: readme }, ...files],
    replaced: scrubber.replaced,
  };
}

/**
 * Writes a submission: the folder appears when it is complete.
 *
 * @returns the paths of its files
 * @throws LlamatuneError SUBMISSION_EXISTS, OUTPUT_NOT_WRITABLE
 */
export function writeSubmission({ folder, files }: Submission): string[] {
  refuseExisting(folder);
  const temporary = temporaryName(folder);
  try {
    for (const { path, text } of files) replaceFile(join(temporary, path), text, 'submission');
    renameSync(temporary, folder);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    if (cause instanceof LlamatuneError) throw cause;
    throw new LlamatuneError(
      'OUTPUT_NOT_WRITABLE',
      `cannot write the submission '${folder}': ${(cause as Error).message}`,
      { hint: 'choose another folder, or check permissions and free space', cause },
    );
  }
  return files.map(({ path }) => join(folder, path));
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Logs of trials, and tables of samples that a suite wrote next to its results. */
function rawFiles(folder: string): ReportFile[] {
  const logs = namesIn(logsFolder(folder)).filter((name) => name.endsWith('.log'));
  const tables = namesIn(folder).filter((name) => name.endsWith('.csv'));
  const paths = [
    ...logs.sort().map((name) => `${basename(logsFolder(folder))}/${name}`),
    ...tables,
  ];
  return paths.map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
}

function checkedName(name: string): string {
  if (/^[a-z0-9][a-z0-9.-]*$/.test(name)) return name;
  throw new LlamatuneError('CONFIG_INVALID', `invalid name of a submission: '${name}'`, {
    hint: "use small letters, digits, dots and hyphens, e.g. 'nvidia-rtx-4090'",
    problems: [
      {
        path: 'name',
        message: `expected small letters, digits, dots and hyphens but received '${name}'`,
      },
    ],
  });
}

function refuseExisting(folder: string): void {
  if (!existsSync(folder)) return;
  throw new LlamatuneError('SUBMISSION_EXISTS', `there is already a submission in '${folder}'`, {
    hint: 'choose another name (--name), or remove that folder first',
  });
}

/**
 * Reads all submissions of a folder, in the order of their names.
 *
 * @throws LlamatuneError SUBMISSIONS_NOT_FOUND, RESULTS_INVALID
 */
export function readSubmissions(folder: string): NamedResults[] {
  const names = namesIn(folder)
    .filter((name) => existsSync(resultsPath(join(folder, name))))
    .sort();
  if (names.length === 0) {
    throw new LlamatuneError('SUBMISSIONS_NOT_FOUND', `no submission was found in '${folder}'`, {
      hint: 'name the folder that contains the folders of submissions, e.g. benchmarks/community',
    });
  }
  return names.map((name) => ({ name, results: readResults(resultsPath(join(folder, name))) }));
}
