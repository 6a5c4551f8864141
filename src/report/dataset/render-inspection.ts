import type { DatasetInspection } from '../../inspect/result.js';
import { renderHtml } from '../suite/html.js';
import { renderMarkdown } from '../suite/markdown.js';
import { colored } from '../suite/marks.js';
import type { ReportFormat } from '../suite/render-report.js';
import { renderText } from '../suite/text.js';
import { buildDatasetDocument } from './build-document.js';

export interface RenderInspectionOptions {
  format: ReportFormat;
  /** With format 'text': show what is learned in color instead of brackets. Default: false. */
  color?: boolean;
}

/** Renders what inspectDataset() found. 'html' is a page that works offline; 'json' is the result itself. */
export function renderInspection(
  inspection: DatasetInspection,
  { format, color = false }: RenderInspectionOptions,
): string {
  const document = buildDatasetDocument(inspection);
  switch (format) {
    case 'markdown':
      return renderMarkdown(document);
    case 'text':
      return renderText(document, color ? colored : undefined);
    case 'html':
      return renderHtml(document);
    case 'json':
      return `${JSON.stringify(inspection, null, 2)}\n`;
  }
}
