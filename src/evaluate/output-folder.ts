import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LlamatuneError } from '../errors.js';
import { replaceFile } from '../files/atomic-file.js';
import { renderEvaluation } from '../report/evaluation/render-evaluation.js';
import type { EvaluationResults } from './results.js';
import { type EvaluationSample, samplesText } from './samples.js';

const RESULTS = 'results.json';
const SAMPLES = 'samples';
const REPORT = { 'summary.md': 'markdown', 'summary.txt': 'text', 'report.html': 'html' } as const;

/** The folder that an evaluation writes. */
export class OutputFolder {
  readonly #path: string;
  /** Files of the samples by name of the system. */
  readonly #files: ReadonlyMap<string, string>;

  /** @throws LlamatuneError RESULTS_EXIST if the folder has one of the files that would be written */
  constructor(path: string, systems: readonly string[]) {
    this.#path = path;
    this.#files = sampleFiles(systems);
    const found = [RESULTS, SAMPLES, ...Object.keys(REPORT)].filter((name) =>
      existsSync(join(path, name)),
    );
    if (found.length === 0) return;
    throw new LlamatuneError(
      'RESULTS_EXIST',
      `'${path}' has ${found.join(', ')}, which would be overwritten`,
      {
        hint: 'choose another folder; answers in samples/ can be used again as the outputs of a system',
      },
    );
  }

  /** The file of the samples of a system, relative to the folder. */
  samplesOf(system: string): string {
    return this.#files.get(system)!;
  }

  writeSamples(system: string, samples: readonly EvaluationSample[]): void {
    replaceFile(join(this.#path, this.samplesOf(system)), samplesText(samples), 'samples');
  }

  /** Writes the report, and at last results.json. */
  writeResults(results: EvaluationResults): void {
    for (const [name, format] of Object.entries(REPORT))
      replaceFile(join(this.#path, name), renderEvaluation(results, { format }), 'report');
    replaceFile(
      join(this.#path, RESULTS),
      renderEvaluation(results, { format: 'json' }),
      'evaluation results',
    );
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
