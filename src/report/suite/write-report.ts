import { join } from 'node:path';
import type { SuiteResults } from '../../bench/suite/results.js';
import { replaceFile } from '../../files/atomic-file.js';
import { reportFiles } from './render-report.js';

/**
 * Writes the files of a report into a folder: summary.md, summary.txt, report.html and charts/.
 *
 * @returns their paths
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export function writeReport(results: SuiteResults, folder: string): string[] {
  return reportFiles(results).map((file) => {
    const path = join(folder, file.path);
    replaceFile(path, file.text, 'benchmark report');
    return path;
  });
}
