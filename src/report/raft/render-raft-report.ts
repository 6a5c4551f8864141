import type { RaftSummary } from '../../raft/summary.js';
import { documentFiles, writeFiles } from '../suite/document-files.js';
import { type ReportFormat, renderDocument } from '../suite/render-document.js';
import { buildRaftDocument } from './build-document.js';

/** Renders the summary of a run of raft(), also of an unfinished one; 'json' is summary.json. */
export const renderRaftReport = (
  summary: RaftSummary,
  { format }: { format: ReportFormat },
): string => renderDocument(buildRaftDocument(summary), format, summary);

/**
 * Writes the report of a run of raft() into a folder: summary.md, summary.txt, report.html and charts/.
 *
 * @returns their paths
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export const writeRaftReport = (summary: RaftSummary, folder: string): string[] =>
  writeFiles(folder, documentFiles(buildRaftDocument(summary)), 'RAFT report');
