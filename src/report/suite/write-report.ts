import type { SuiteResults } from '../../bench/suite/results.js';
import { writeFiles } from './document-files.js';
import { reportFiles } from './render-report.js';

/**
 * Writes the files of a report into a folder: summary.md, summary.txt, report.html and charts/.
 *
 * @returns their paths
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export const writeReport = (results: SuiteResults, folder: string): string[] =>
  writeFiles(folder, reportFiles(results), 'benchmark report');
