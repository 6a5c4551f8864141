import { type ReportFormat, renderDocument } from '../suite/render-document.js';
import { buildCommunityDocument, type NamedResults } from './build-document.js';

/**
 * Renders the results of several machines as tables across devices. 'json' is the document itself: sections of blocks,
 * with the number behind each cell.
 */
export function renderCommunityTable(
  machines: readonly NamedResults[],
  { format }: { format: ReportFormat },
): string {
  const document = buildCommunityDocument(machines);
  return renderDocument(document, format, document);
}
