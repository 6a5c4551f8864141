import { type EvaluationResults, evaluationResultsSchema } from '../../evaluate/results.js';
import { documentFiles, writeFiles } from '../suite/document-files.js';
import { type ReportFormat, renderDocument } from '../suite/render-document.js';
import { buildEvaluationDocument } from './build-document.js';

/** Renders the results of evaluate(). 'html' is a page that works offline; 'json' is the content of results.json. */
export function renderEvaluation(
  results: EvaluationResults,
  { format }: { format: ReportFormat },
): string {
  const document = buildEvaluationDocument(results);
  // Without the samples that the result of a run has, too.
  return renderDocument(document, format, evaluationResultsSchema.parse(results));
}

/**
 * Writes the report of evaluate() into a folder: summary.md, summary.txt, report.html and charts/.
 *
 * @returns their paths
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export const writeEvaluationReport = (results: EvaluationResults, folder: string): string[] =>
  writeFiles(folder, documentFiles(buildEvaluationDocument(results)), 'report');
