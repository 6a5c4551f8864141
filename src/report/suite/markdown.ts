import type { Block, Column, ReportDocument } from './document.js';
import { bracketed } from './marks.js';

/** A report as Markdown. `chartFile` gives the file of each chart, in order; without it charts are left out. */
export function renderMarkdown(
  { title, subtitle, sections }: ReportDocument,
  chartFile?: (index: number) => string,
): string {
  let charts = 0;
  const parts = [
    `# ${escapeMarkdown(title)}`,
    ...(subtitle === '' ? [] : [escapeMarkdown(subtitle)]),
  ];
  for (const section of sections) {
    parts.push(`## ${escapeMarkdown(section.title)}`);
    for (const block of section.blocks) {
      if (block.kind !== 'chart') parts.push(...blockText(block));
      else if (chartFile !== undefined) {
        parts.push(`![${escapeMarkdown(block.chart.title)}](${encodeURI(chartFile(charts))})`);
      }
      if (block.kind === 'chart') charts++;
    }
  }
  return `${parts.join('\n\n')}\n`;
}

function blockText(block: Exclude<Block, { kind: 'chart' }>): string[] {
  const heading =
    'title' in block && block.title !== undefined ? [`### ${escapeMarkdown(block.title)}`] : [];
  switch (block.kind) {
    case 'table':
      return [
        ...heading,
        [
          row(block.columns.map(({ title }) => title)),
          `|${block.columns.map(rule).join('|')}|`,
          ...block.rows.map((cells) => row(cells.map(({ text }) => text))),
        ].join('\n'),
      ];
    case 'facts':
      return [
        ...heading,
        block.facts
          .map(([name, value]) => `- **${escapeMarkdown(name)}**: ${escapeMarkdown(value)}`)
          .join('\n'),
      ];
    case 'code':
      return [`\`\`\`\n${block.text}\n\`\`\``];
    case 'marked':
      return [...heading, `\`\`\`\`\`\n${block.parts.map(bracketed).join('')}\n\`\`\`\`\``];
    case 'text':
      return [escapeMarkdown(block.text)];
    case 'list':
      return [...heading, block.items.map((item) => `- ${escapeMarkdown(item)}`).join('\n')];
  }
}

const rule = ({ align }: Column): string => (align === 'right' ? '---:' : '---');
const row = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`;

/** Text that Markdown shows as it is. */
function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_|<>[\]]/g, '\\$&').replaceAll('\n', ' ');
}
