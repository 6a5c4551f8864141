import { escapeHtml } from '../../escape-html.js';
import { echartsSource, scriptData } from '../echarts.js';
import { DARK, LIGHT } from './chart-axes.js';
import { chartHeight, chartOption } from './chart-option.js';
import type { Block, Cell, Chart, Column, MarkedText, ReportDocument } from './document.js';
import { formatWeight, visibleText } from './marks.js';
import { PAGE_SCRIPT, PAGE_STYLE } from './page.js';

/** The page has the titles of the charts as captions. */
const LAYOUT = { title: false };

/** A report as one HTML page that needs no network: tables that can be sorted, charts with tooltips, light and dark. */
export function renderHtml(document: ReportDocument): string {
  const charts = document.sections.flatMap(({ blocks }) =>
    blocks.flatMap((block) => (block.kind === 'chart' ? [block.chart] : [])),
  );
  const options = charts.map((chart) => ({
    light: chartOption(chart, LIGHT, LAYOUT),
    dark: chartOption(chart, DARK, LAYOUT),
  }));
  let next = 0;
  const html = (block: Block): string =>
    block.kind === 'chart' ? chartHtml(block.chart, next++) : blockHtml(block);
  const sections = document.sections.map(
    ({ title, blocks }) =>
      `<section><h2>${escapeHtml(title)}</h2>\n${blocks.map(html).join('\n')}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(document.title)}</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(document.title)}</h1>
<p class="subtitle">${escapeHtml(document.subtitle)}</p>
${sections.join('\n')}
</main>
${charts.length > 0 ? `<script>${echartsSource()}</script>` : ''}
<script>const chartOptions = ${scriptData(options)};
${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

const chartHtml = (chart: Chart, index: number): string =>
  `<figure><figcaption>${escapeHtml(chart.title)}</figcaption>
<div class="chart" data-chart="${index}" style="height: ${chartHeight(chart, LAYOUT)}px" role="img" aria-label="${escapeHtml(chart.title)}"></div></figure>`;

function blockHtml(block: Exclude<Block, { kind: 'chart' }>): string {
  const heading =
    'title' in block && block.title !== undefined ? `<h3>${escapeHtml(block.title)}</h3>\n` : '';
  switch (block.kind) {
    case 'table':
      return `${heading}<div class="scroll"><table>
<thead><tr>${block.columns.map(headHtml).join('')}</tr></thead>
<tbody>
${block.rows.map((cells) => `<tr>${cells.map((cell, i) => cellHtml(cell, block.columns[i])).join('')}</tr>`).join('\n')}
</tbody></table></div>`;
    case 'facts':
      return `${heading}<dl>${block.facts
        .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
        .join('\n')}</dl>`;
    case 'code':
      return `<pre>${escapeHtml(block.text)}</pre>`;
    case 'marked':
      return `${heading}<pre class="marked">${block.parts.map(markedHtml).join('')}</pre>`;
    case 'text':
      return `<p>${escapeHtml(block.text)}</p>`;
    case 'list':
      return `${heading}<ul>${block.items.map((item) => `<li>${escapeHtml(item)}</li>`).join('\n')}</ul>`;
  }
}

function markedHtml({ text, weight }: MarkedText): string {
  const html = escapeHtml(visibleText(text, weight));
  if (weight === 0) return html;
  return weight === 1
    ? `<mark>${html}</mark>`
    : `<mark class="weighted" title="weight ${formatWeight(weight)}">${html}</mark>`;
}

const headHtml = ({ title, align }: Column): string =>
  title === ''
    ? '<th></th>'
    : `<th class="${align}" aria-sort="none"><button type="button">${escapeHtml(title)}</button></th>`;

function cellHtml({ text, value, note }: Cell, column: Column | undefined): string {
  const attributes = [
    `class="${column?.align ?? 'left'}"`,
    ...(value === undefined ? [] : [`data-value="${value}"`]),
    ...(note === undefined ? [] : [`title="${escapeHtml(note)}"`]),
  ];
  return `<td ${attributes.join(' ')}>${escapeHtml(text)}</td>`;
}
