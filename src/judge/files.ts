import { join } from 'node:path';
import type { JudgeConfig } from '../config/judge.js';
import { replaceFile } from '../files/atomic-file.js';
import type { CallFiles, InputFile } from '../files/check.js';
import { REPORT_NAMES } from '../files/names.js';
import {
  indentedJson,
  jsonLines,
  readResultsFile,
  refuseExisting,
} from '../files/results-files.js';
import { modelFile } from '../files/run-files.js';
import { buildJudgeDocument } from '../report/judge/build-document.js';
import { documentFiles, writeFiles } from '../report/suite/document-files.js';
import type { JudgeVerdict } from './judge.js';
import { type JudgeResults, judgeResultsSchema } from './results.js';

const RESULTS = 'results.json';
const VERDICTS = 'verdicts.jsonl';

/** Every file and folder that a judge reads or writes. */
export function filesOfJudge({
  model,
  samples = [],
  pairs,
  check,
  output,
}: JudgeConfig): CallFiles {
  const sources = samples.map((source) => (typeof source === 'string' ? source : source.samples));
  const input = (field: string, path: unknown): InputFile[] =>
    typeof path === 'string' ? [{ field, path, kind: 'samples' }] : [];
  return {
    inputs: [
      ...modelFile(model),
      ...sources.flatMap((path, i) => input(`samples.${i}`, path)),
      ...input('pairs', pairs),
      ...(check === 'auto' || check === 'none' ? [] : input('check', check)),
    ],
    outputs: output === undefined ? [] : [{ field: 'output', path: output, kind: 'folder' }],
  };
}

/** @throws LlamatuneError RESULTS_EXIST if the folder has files that the judge would replace */
export const refuseResults = (folder: string): void =>
  refuseExisting(folder, [RESULTS, VERDICTS, ...REPORT_NAMES]);

/** Writes all files. @throws LlamatuneError OUTPUT_NOT_WRITABLE */
export function writeJudgement(
  folder: string,
  results: JudgeResults,
  verdicts: readonly JudgeVerdict[],
): void {
  writeVerdicts(folder, verdicts);
  writeFiles(folder, documentFiles(buildJudgeDocument(results)), 'report');
  // Last, so that a folder with results is complete.
  replaceFile(join(folder, RESULTS), indentedJson(results), 'results of the judge');
}

/** Writes verdicts.jsonl. @throws LlamatuneError OUTPUT_NOT_WRITABLE */
export function writeVerdicts(folder: string, verdicts: readonly JudgeVerdict[]): void {
  replaceFile(join(folder, VERDICTS), jsonLines(verdicts), 'verdicts of the judge');
}

/**
 * Reads a results.json of `judge()`.
 *
 * @throws LlamatuneError RESULTS_INVALID
 */
export const readJudgement = (path: string): JudgeResults =>
  readResultsFile(path, judgeResultsSchema, 'pass a results.json that llamatune judge wrote');
