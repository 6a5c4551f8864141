import { type EvaluationResults, evaluationResultsSchema } from '../../evaluate/results.js';
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
