import type { SuiteResults } from '../../bench/suite/results.js';
import { renderSvg } from '../echarts.js';
import { buildDocument } from './build-document.js';
import { chartHeight, chartOption, LIGHT } from './chart-option.js';
import { renderHtml } from './html.js';
import { renderMarkdown } from './markdown.js';
import { type ReportFormat, renderDocument } from './render-document.js';
import { renderText } from './text.js';

/** A chart in a file has its title above it. */
const LAYOUT = { title: true };

/** Renders the results of a suite; 'json' is results.json. */
export const renderReport = (results: SuiteResults, { format }: { format: ReportFormat }): string =>
  renderDocument(buildDocument(results), format, results);

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
