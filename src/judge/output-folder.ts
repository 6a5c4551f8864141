import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import { JsonLinesFile } from '../files/json-lines-file.js';
import { REPORT_NAMES } from '../files/names.js';
import {
  differentNames,
  HOW_TO_CONTINUE,
  indentedJson,
  jsonLines,
  readResultsFile,
  refuseExisting,
  runMismatch,
} from '../files/results-files.js';
import { writeJudgeReport } from '../report/judge/render-judgement.js';
import { type JudgeResults, type JudgeSettings, judgeResultsSchema } from './results.js';
import type { JudgeVerdict } from './verdict.js';

const RESULTS = 'results.json';
const VERDICTS = 'verdicts.jsonl';
/** The verdicts of a run that has not ended: its settings in the first line, then a verdict in each. */
const UNFINISHED = 'verdicts-unfinished.jsonl';

/**
 * Refuses a folder whose files the judge would replace, before anything else is read.
 *
 * @throws LlamatuneError RESULTS_EXIST
 */
export function refuseResults(folder: string, resume: boolean): void {
  const hasRun = [RESULTS, UNFINISHED].some((name) => existsSync(join(folder, name)));
  if (hasRun && resume) return;
  const names = [RESULTS, VERDICTS, UNFINISHED, ...REPORT_NAMES];
  refuseExisting(folder, names, hasRun ? HOW_TO_CONTINUE : undefined);
}

/** A question that failed is not kept, because it is asked again. */
const keptVerdict = z.object({
  check: z.boolean(),
  index: z.int(),
  sample: z.int(),
  answerA: z.string(),
  answerB: z.string(),
  verdict: z.enum(['A', 'B', 'tie']).nullable(),
  winner: z.string().nullable(),
  explanation: z.string(),
  text: z.string(),
  finishReason: z.string(),
  promptTokens: z.int(),
  generatedTokens: z.int(),
  error: z.null(),
});

type Line = { judge: JudgeSettings } | JudgeVerdict;

/** The folder that a judge writes. Every verdict is kept as soon as it comes. */
export class OutputFolder implements Disposable {
  readonly #path: string;
  readonly #settings: JudgeSettings;
  readonly #unfinished: JsonLinesFile<Line>;
  /** The results of an earlier call that came to its end, otherwise null. */
  readonly results: JudgeResults | null;

  /** @throws LlamatuneError RESULTS_MISMATCH if the folder has another run, RESULTS_INVALID */
  constructor(path: string, settings: JudgeSettings) {
    this.#path = path;
    this.#settings = settings;
    const results = join(path, RESULTS);
    this.results = existsSync(results) ? readJudgement(results) : null;
    // left behind by a process that was killed after it had written the results
    if (this.results !== null) this.#removeUnfinished();
    this.#unfinished = new JsonLinesFile(join(path, UNFINISHED), 'verdicts');
    const found = this.results?.judge ?? this.#recordedSettings();
    if (found !== undefined) this.#compare(found);
    const at = this.verdicts.findIndex((verdict) => !keptVerdict.safeParse(verdict).success);
    if (at >= 0) throw this.#damaged(`line ${at + 2} is not a verdict`);
  }

  #recordedSettings(): JudgeSettings | undefined {
    const [first] = this.#unfinished.rows;
    if (first === undefined) return undefined;
    if ('judge' in first && typeof first.judge === 'object' && first.judge !== null) {
      return first.judge;
    }
    throw this.#damaged('the first line does not have the settings of the judge');
  }

  #damaged(reason: string): LlamatuneError {
    const path = join(this.#path, UNFINISHED);
    return new LlamatuneError(
      'RESULTS_INVALID',
      `cannot read the verdicts in '${path}': ${reason}`,
      {
        hint: 'choose another folder, or remove this one and start again',
      },
    );
  }

  #compare(found: JudgeSettings): void {
    const identify = ({ model: _, modelBytes, ...others }: JudgeSettings) => ({
      ...others,
      model: modelBytes,
    });
    const different = differentNames(identify(found), identify(this.#settings));
    if (different.length > 0) throw runMismatch(this.#path, different);
  }

  /** The verdicts that a run which has not ended has kept. */
  get verdicts(): JudgeVerdict[] {
    return this.#unfinished.rows.filter((line): line is JudgeVerdict => !('judge' in line));
  }

  /** Keeps a verdict. @throws LlamatuneError OUTPUT_NOT_WRITABLE */
  add(verdict: JudgeVerdict): void {
    if (this.#unfinished.rows.length === 0) this.#unfinished.add({ judge: this.#settings });
    this.#unfinished.add(verdict);
  }

  /** Writes all files of a run that has come to its end. @throws LlamatuneError OUTPUT_NOT_WRITABLE */
  finish(results: JudgeResults, verdicts: readonly JudgeVerdict[]): void {
    replaceFile(join(this.#path, VERDICTS), jsonLines(verdicts), 'verdicts');
    writeJudgeReport(results, this.#path);
    // After all other files, so that a folder with results is complete.
    replaceFile(join(this.#path, RESULTS), indentedJson(results), 'results of the judge');
    this[Symbol.dispose]();
    this.#removeUnfinished();
  }

  #removeUnfinished(): void {
    rmSync(join(this.#path, UNFINISHED), { force: true });
  }

  [Symbol.dispose](): void {
    this.#unfinished[Symbol.dispose]();
  }
}

/**
 * Reads a results.json of `judge()`.
 *
 * @throws LlamatuneError RESULTS_INVALID
 */
export const readJudgement = (path: string): JudgeResults =>
  readResultsFile(path, judgeResultsSchema, 'pass a results.json that llamatune judge wrote');
