import { renderHtml } from '../suite/html.js';
import { renderMarkdown } from '../suite/markdown.js';
import type { ReportFormat } from '../suite/render-report.js';
import { renderText } from '../suite/text.js';
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
  switch (format) {
    case 'markdown':
      return renderMarkdown(document);
    case 'text':
      return renderText(document);
    case 'html':
      return renderHtml(document);
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`;
  }
}
