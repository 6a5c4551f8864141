import type { SuiteResults } from '../../bench/suite/results.js';
import { renderSvg } from '../echarts.js';
import { buildDocument } from './build-document.js';
import { chartHeight, chartOption, LIGHT } from './chart-option.js';
import { renderHtml } from './html.js';
import { renderMarkdown } from './markdown.js';
import { renderText } from './text.js';

/** Formats of a report: 'html' is one page that works offline, 'text' has tables in boxes, 'json' is results.json. */
export type ReportFormat = 'markdown' | 'text' | 'html' | 'json';

/** A chart in a file has its title above it. */
const LAYOUT = { title: true };

/** Renders the results of a suite. */
export function renderReport(results: SuiteResults, { format }: { format: ReportFormat }): string {
  const document = buildDocument(results);
  switch (format) {
    case 'markdown':
      return renderMarkdown(document);
    case 'text':
      return renderText(document);
    case 'html':
      return renderHtml(document);
    case 'json':
      return `${JSON.stringify(results, null, 2)}\n`;
  }
}

/** A file of a report: its path in the folder of the report, and its text. */
export interface ReportFile {
  path: string;
  text: string;
}

/** The files of a report: summary.md, summary.txt, report.html, and the charts as SVG, which summary.md shows. */
export function reportFiles(results: SuiteResults): ReportFile[] {
  const document = buildDocument(results);
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
