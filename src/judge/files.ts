import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JudgeConfig } from '../config/judge.js';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import type { CallFiles, InputFile } from '../files/check.js';
import { modelFile } from '../files/run-files.js';
import { renderJudgement } from '../report/judge/render-judgement.js';
import type { JudgeVerdict } from './judge.js';
import { type JudgeResults, judgeResultsSchema } from './results.js';

/** The files of a judge in its output folder. */
const NAMES = {
  results: 'results.json',
  verdicts: 'verdicts.jsonl',
  markdown: 'summary.md',
  text: 'summary.txt',
  html: 'report.html',
} as const;

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
export function refuseResults(folder: string): void {
  const found = Object.values(NAMES).filter((name) => existsSync(join(folder, name)));
  if (found.length === 0) return;
  throw new LlamatuneError(
    'RESULTS_EXIST',
    `'${folder}' already has ${found.join(', ')}, which would be overwritten`,
    { hint: 'choose another folder' },
  );
}

/** Writes all files. @throws LlamatuneError OUTPUT_NOT_WRITABLE */
export function writeJudgement(
  folder: string,
  results: JudgeResults,
  verdicts: readonly JudgeVerdict[],
): void {
  writeVerdicts(folder, verdicts);
  for (const format of ['markdown', 'text', 'html'] as const) {
    replaceFile(join(folder, NAMES[format]), renderJudgement(results, { format }), 'report');
  }
  // Last, so that a folder with results is complete.
  const json = renderJudgement(results, { format: 'json' });
  replaceFile(join(folder, NAMES.results), json, 'results of the judge');
}

/** Writes verdicts.jsonl. @throws LlamatuneError OUTPUT_NOT_WRITABLE */
export function writeVerdicts(folder: string, verdicts: readonly JudgeVerdict[]): void {
  const lines = verdicts.map((verdict) => `${JSON.stringify(verdict)}\n`).join('');
  replaceFile(join(folder, NAMES.verdicts), lines, 'verdicts of the judge');
}

/**
 * Reads a results.json of `judge()`.
 *
 * @throws LlamatuneError RESULTS_INVALID
 */
export function readJudgement(path: string): JudgeResults {
  const invalid = (reason: string, cause?: unknown) =>
    new LlamatuneError('RESULTS_INVALID', `cannot read the results in '${path}': ${reason}`, {
      hint: 'pass a results.json that llamatune judge wrote',
      ...(cause === undefined ? {} : { cause }),
    });
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw invalid((cause as Error).message, cause);
  }
  const parsed = judgeResultsSchema.safeParse(found);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw invalid(`${issue.path.join('.') || 'the file'}: ${issue.message}`);
}
