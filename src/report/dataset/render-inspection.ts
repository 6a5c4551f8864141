import type { DatasetInspection } from '../../inspect/result.js';
import { colored } from '../suite/marks.js';
import { type ReportFormat, renderDocument } from '../suite/render-document.js';
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
  return format === 'text' && color
    ? renderText(document, colored)
    : renderDocument(document, format, inspection);
}
