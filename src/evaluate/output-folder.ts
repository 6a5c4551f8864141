import { join } from 'node:path';
import { replaceFile } from '../files/atomic-file.js';
import { REPORT_NAMES } from '../files/names.js';
import {
  indentedJson,
  jsonLines,
  readResultsFile,
  refuseExisting,
} from '../files/results-files.js';
import { writeEvaluationReport } from '../report/evaluation/render-evaluation.js';
import { type EvaluationResults, evaluationResultsSchema } from './results.js';
import type { EvaluationSample } from './samples.js';

const RESULTS = 'results.json';
const SAMPLES = 'samples';

/** The folder that an evaluation writes. */
export class OutputFolder {
  readonly #path: string;
  /** Files of the samples by name of the system. */
  readonly #files: ReadonlyMap<string, string>;

  /** @throws LlamatuneError RESULTS_EXIST if the folder has one of the files that would be written */
  constructor(path: string, systems: readonly string[]) {
    this.#path = path;
    this.#files = sampleFiles(systems);
    refuseExisting(
      path,
      [RESULTS, SAMPLES, ...REPORT_NAMES],
      'choose another folder; answers in samples/ can be used again as the outputs of a system',
    );
  }

  /** The file of the samples of a system, relative to the folder. */
  samplesOf(system: string): string {
    return this.#files.get(system)!;
  }

  writeSamples(system: string, samples: readonly EvaluationSample[]): void {
    replaceFile(join(this.#path, this.samplesOf(system)), jsonLines(samples), 'samples');
  }

  /** Writes the report, and results.json last, so that a folder with results is complete. */
  writeResults(results: EvaluationResults): void {
    writeEvaluationReport(results, this.#path);
    replaceFile(join(this.#path, RESULTS), indentedJson(results), 'evaluation results');
  }
}

/** Names that Windows reserves for devices. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/** One file per system, with a name that every file system accepts. */
export function sampleFiles(systems: readonly string[]): Map<string, string> {
  const used = new Set<string>();
  return new Map(
    systems.map((system) => {
      const plain = system
        .replace(/[^\p{L}\p{N}._-]+/gu, '-')
        .replace(/^[.-]+|[.-]+$/g, '')
        .slice(0, 80);
      const base = plain === '' || RESERVED.test(plain) ? `system-${plain}` : plain;
      let name = base;
      for (let i = 2; used.has(name.toLowerCase()); i++) name = `${base}-${i}`;
      used.add(name.toLowerCase());
      return [system, `${SAMPLES}/${name}.jsonl`];
    }),
  );
}

/**
 * Reads a results.json of `evaluate()`.
 *
 * @throws LlamatuneError RESULTS_INVALID
 */
export const readEvaluation = (path: string): EvaluationResults =>
  readResultsFile(
    path,
    evaluationResultsSchema,
    'pass a results.json that llamatune evaluate wrote',
  );
