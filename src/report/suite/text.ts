import Table from 'cli-table3';
import type { Block, MarkedText, ReportDocument } from './document.js';
import { bracketed } from './marks.js';

const WIDTH = 80;
const HEAVY = '='.repeat(WIDTH);
const LIGHT = '-'.repeat(WIDTH);
const style = { head: [], border: [] };

/**
 * A report as plain text, with tables in boxes. Charts are left out.
 *
 * @param markedText how a part of a marked text is written
 */
export function renderText(
  { title, subtitle, sections }: ReportDocument,
  markedText: (part: MarkedText) => string = bracketed,
): string {
  const parts = [`${HEAVY}\n  ${title}\n${subtitle === '' ? '' : `  ${subtitle}\n`}${HEAVY}`];
  for (const section of sections) {
    parts.push(`${LIGHT}\n  ${section.title.toUpperCase()}\n${LIGHT}`);
    for (const block of section.blocks) {
      if (block.kind !== 'chart') parts.push(blockText(block, markedText));
    }
  }
  return `${parts.join('\n\n')}\n\n${HEAVY}\n`;
}

function blockText(
  block: Exclude<Block, { kind: 'chart' }>,
  markedText: (part: MarkedText) => string,
): string {
  const heading = 'title' in block && block.title !== undefined ? `${block.title}\n` : '';
  switch (block.kind) {
    case 'table': {
      const table = new Table({
        head: block.columns.map(({ title }) => title),
        colAligns: block.columns.map(({ align }) => align),
        style,
      });
      for (const cells of block.rows) table.push(cells.map(({ text }) => text));
      return heading + table.toString();
    }
    case 'facts': {
      const width = Math.max(...block.facts.map(([name]) => name.length));
      return (
        heading +
        block.facts.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${value}`).join('\n')
      );
    }
    case 'marked':
      return heading + block.parts.map(markedText).join('');
    case 'text':
      return block.text;
    case 'code':
      return block.text.replaceAll(/^/gm, '    ');
    case 'list':
      return heading + block.items.map((item) => `  • ${item}`).join('\n');
  }
}
