import * as format from '../../format.js';
import type { DatasetInspection, PreviewRow, RowGroup } from '../../inspect/result.js';
import {
  type Block,
  left,
  type ReportDocument,
  right,
  type Section,
  textCell,
} from '../suite/document.js';
import { visibleText } from '../suite/marks.js';

/** Characters of the longest bar of the histogram. */
const BAR = 32;

/** The report of a dataset, without a format. */
export function buildDatasetDocument(inspection: DatasetInspection): ReportDocument {
  const { files, rows, model, preview, suspicious, badRows } = inspection;
  const sections: Section[] = [
    { title: 'Summary', blocks: summaryBlocks(inspection) },
    { title: 'Suspicious', blocks: suspicious.flatMap(groupBlocks) },
    { title: 'Rows that cannot be trained on', blocks: badRows.flatMap(groupBlocks) },
    { title: 'Lengths', blocks: lengthBlocks(inspection) },
    { title: 'Padding', blocks: paddingBlocks(inspection) },
    {
      title: 'Rows',
      blocks: preview.length === 0 ? [] : [LEGEND, ...preview.flatMap(previewBlocks)],
    },
  ];
  return {
    title: 'Dataset',
    subtitle: `${format.plural(rows, 'row')} ${files.length === 0 ? 'from memory' : `of ${files.join(', ')}`}, with the vocabulary of ${model}`,
    sections: sections.filter(({ blocks }) => blocks.length > 0),
  };
}

const FORMS = {
  chat: 'conversation',
  completion: 'completion',
  text: 'text',
  tokens: 'token list',
} as const;

function summaryBlocks(inspection: DatasetInspection): Block[] {
  const { rows, forms, samples, tokens, targetTokens, settings, badRows, duplicates } = inspection;
  const kinds = (Object.keys(FORMS) as (keyof typeof FORMS)[])
    .filter((form) => forms[form] > 0)
    .map((form) => format.plural(forms[form], FORMS[form]));
  const bad = badRows.reduce((sum, group) => sum + group.rows, 0);
  const searched = bad + duplicates.rows + duplicates.remembered >= rows;
  const facts: [string, string][] = [
    ['Rows', kinds.length === 0 ? '0' : kinds.join(', ')],
    ['Samples', format.integer(samples)],
    ['Tokens', format.integer(tokens)],
    [
      'Learned tokens',
      `${format.integer(targetTokens)} (${share(targetTokens, tokens)}), loss '${settings.loss}'`,
    ],
    ['Longer than sequenceLength', tooLongText(inspection)],
    ['Bad rows', format.integer(bad)],
    [
      'Duplicates',
      `${format.integer(duplicates.rows)}${searched ? '' : ` of the first ${format.integer(duplicates.remembered)} different rows`}`,
    ],
  ];
  return [
    { kind: 'facts', facts },
    ...exampleList('Rows that are too long', inspection.tooLong.examples),
    ...exampleList('Duplicates', duplicates.examples),
  ];
}

function tooLongText({ tooLong, settings }: DatasetInspection): string {
  const { rows, truncated, answersCut, split, skipped, refused } = tooLong;
  const limit = `limit ${format.integer(settings.sequenceLength)} tokens`;
  if (rows === 0) return `0 (${limit})`;
  const parts = [
    [truncated, 'truncated'],
    [answersCut, 'of them with a part of an answer lost'],
    [split, 'split'],
    [skipped, 'skipped'],
    [refused, "refused, with overlength 'error'"],
  ] as const;
  const what = parts
    .filter(([count]) => count > 0)
    .map(([count, name]) => `${format.integer(count)} ${name}`);
  return `${format.integer(rows)} (${limit}): ${what.join(', ')}`;
}

const share = (part: number, whole: number): string =>
  whole === 0 ? '–' : format.percent(part / whole);

const exampleText = ({ where, detail }: RowGroup['examples'][number]): string =>
  `${where}: ${visibleText(detail, 0)}`;

const exampleList = (title: string, examples: RowGroup['examples']): Block[] =>
  examples.length === 0 ? [] : [{ kind: 'list', title, items: examples.map(exampleText) }];

const groupBlocks = ({ code, message, rows, examples }: RowGroup): Block[] => [
  {
    kind: 'list',
    title: `${code}: ${format.plural(rows, 'row')}`,
    items: [message, ...examples.map(exampleText)],
  },
];

function lengthBlocks({ lengths }: DatasetInspection): Block[] {
  if (lengths === null) return [];
  const { shortest, median, mean, p95, longest, histogram } = lengths;
  const most = Math.max(...histogram.map(({ samples }) => samples));
  return [
    {
      kind: 'facts',
      facts: [
        ['Shortest', `${format.integer(shortest)} tokens`],
        ['Median', format.integer(median)],
        ['Mean', mean.toFixed(1)],
        ['95 % at most', format.integer(p95)],
        ['Longest', format.integer(longest)],
      ],
    },
    {
      kind: 'table',
      columns: [right('tokens'), right('rows'), left('')],
      rows: histogram.map(({ from, to, samples }) => [
        { text: `${format.integer(from)} – ${format.integer(to)}`, value: from },
        { text: format.integer(samples), value: samples },
        textCell('█'.repeat(Math.ceil((BAR * samples) / most))),
      ]),
    },
  ];
}

const LAYOUTS = {
  'padding-free': 'padding-free (default)',
  'by-length': 'by length',
  packed: 'packed (packing: true)',
  padded: 'padded (microBatchSize: 1)',
} as const;

function paddingBlocks({ layouts, settings }: DatasetInspection): Block[] {
  if (layouts.length === 0) return [];
  const { batchSize, sequenceLength, microBatchTokens } = settings;
  return [
    {
      kind: 'table',
      columns: [left('layout'), right('tokens computed'), right('padding')],
      rows: layouts.map(({ layout, computedTokens, padding }) => [
        textCell(LAYOUTS[layout]),
        { text: format.integer(computedTokens), value: computedTokens },
        { text: format.percent(padding), value: padding },
      ]),
    },
    {
      kind: 'text',
      text:
        `Of an epoch in the order of the dataset, with batchSize ${batchSize}, sequenceLength ${sequenceLength} and ` +
        `micro-batches of at most ${format.integer(microBatchTokens)} tokens, or of the longest sample.`,
    },
  ];
}

const LEGEND: Block = {
  kind: 'text',
  text: 'What is marked is learned; a different mark is a weight other than 1. ↵ is a line break that is learned.',
};

const previewBlocks = ({ where, tokens, targetTokens, parts, shortened }: PreviewRow): Block[] => [
  {
    kind: 'marked',
    title: `${where}: ${format.plural(tokens, 'token')}, ${format.integer(targetTokens)} learned${shortened ? ' (its start)' : ''}`,
    parts,
  },
];
