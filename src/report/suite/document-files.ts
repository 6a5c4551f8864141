import { join } from 'node:path';
import { replaceFile } from '../../files/atomic-file.js';
import { renderSvg } from '../echarts.js';
import { LIGHT } from './chart-axes.js';
import { chartHeight, chartOption } from './chart-option.js';
import type { ReportDocument } from './document.js';
import { renderHtml } from './html.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

/** A chart in a file has its title above it. */
const LAYOUT = { title: true };

/** A file of a report: its path in the folder of the report, and its text. */
export interface ReportFile {
  path: string;
  text: string;
}

/** The files of a report: summary.md, summary.txt, report.html, and the charts as SVG, which summary.md shows. */
export function documentFiles(document: ReportDocument): ReportFile[] {
  const charts = document.sections.flatMap(({ blocks }) =>
    blocks.flatMap((block) => (block.kind === 'chart' ? [block.chart] : [])),
  );
  const chartFile = (index: number) => `charts/chart-${index + 1}.svg`;
  return [
    { path: 'summary.md', text: renderMarkdown(document, chartFile) },
    { path: 'summary.txt', text: renderText(document) },
    { path: 'report.html', text: renderHtml(document) },
    ...charts.map((chart, i) => ({
      path: chartFile(i),
      text: renderSvg(chartOption(chart, LIGHT, LAYOUT), {
        width: 900,
        height: chartHeight(chart, LAYOUT),
      }),
    })),
  ];
}

/**
 * Writes files of a report.
 *
 * @param what names them in errors
 * @returns their paths
 * @throws LlamatuneError OUTPUT_NOT_WRITABLE
 */
export function writeFiles(folder: string, files: readonly ReportFile[], what: string): string[] {
  return files.map((file) => {
    const path = join(folder, file.path);
    replaceFile(path, file.text, what);
    return path;
  });
}
