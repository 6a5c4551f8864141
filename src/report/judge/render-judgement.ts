import type { JudgeResults } from '../../judge/results.js';
import { documentFiles, writeFiles } from '../suite/document-files.js';
import { type ReportFormat, renderDocument } from '../suite/render-document.js';
import { buildJudgeDocument } from './build-document.js';

/** Renders what judge() found. 'html' is a page that works offline; 'json' is the result itself. */
export function renderJudgement(
  results: JudgeResults,
  { format }: { format: ReportFormat },
): string {
  return renderDocument(buildJudgeDocument(results), format, results);
}

/**
 * Writes the report of judge() into a folder: summary.md, summary.txt, report.html and charts/.
 *
 * @returns their paths
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export const writeJudgeReport = (results: JudgeResults, folder: string): string[] =>
  writeFiles(folder, documentFiles(buildJudgeDocument(results)), 'report');
