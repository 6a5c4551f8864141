import type { SuiteResults } from '../../bench/suite/results.js';
import { buildDocument } from './build-document.js';
import { documentFiles, type ReportFile } from './document-files.js';
import { type ReportFormat, renderDocument } from './render-document.js';

/** Renders the results of a suite; 'json' is results.json. */
export const renderReport = (results: SuiteResults, { format }: { format: ReportFormat }): string =>
  renderDocument(buildDocument(results), format, results);

/** The files of the report of a suite. */
export const reportFiles = (results: SuiteResults): ReportFile[] =>
  documentFiles(buildDocument(results));
