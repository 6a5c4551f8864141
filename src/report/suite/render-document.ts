import { indentedJson } from '../../files/results-files.js';
import type { ReportDocument } from './document.js';
import { renderHtml } from './html.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

/** Formats of a report: 'html' is one page that works offline, 'text' has tables in boxes. */
export type ReportFormat = 'markdown' | 'text' | 'html' | 'json';

/** Renders a document, or `data` as JSON. */
export function renderDocument(
  document: ReportDocument,
  format: ReportFormat,
  data: object,
): string {
  switch (format) {
    case 'markdown':
      return renderMarkdown(document);
    case 'text':
      return renderText(document);
    case 'html':
      return renderHtml(document);
    case 'json':
      return indentedJson(data);
  }
}
