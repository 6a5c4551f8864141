import type { JudgeResults } from '../../judge/results.js';
import { type ReportFormat, renderDocument } from '../suite/render-document.js';
import { buildJudgeDocument } from './build-document.js';

/** Renders what judge() found. 'html' is a page that works offline; 'json' is the result itself. */
export function renderJudgement(
  results: JudgeResults,
  { format }: { format: ReportFormat },
): string {
  return renderDocument(buildJudgeDocument(results), format, results);
}
