import type {
  EvaluationResults,
  MeasureDescription,
  SystemResults,
} from '../../evaluate/results.js';
import * as format from '../../format.js';
import {
  type Block,
  type Cell,
  left,
  NOT_MEASURED,
  type ReportDocument,
  right,
  type Section,
  textCell,
} from '../suite/document.js';

/** Most rows that a list names. */
const MOST_LISTED = 10;

/** The report of an evaluation, without a format. */
export function buildEvaluationDocument(results: EvaluationResults): ReportDocument {
  const { systems, rows } = results;
  const sections: Section[] = [
    { title: 'Results', blocks: [resultTable(results), ...charts(results)] },
    { title: 'Differences', blocks: comparisonBlocks(results) },
    ...classificationSections(results),
    { title: 'Warnings', blocks: warningBlocks(results) },
    { title: 'Rows left out', blocks: leftOutBlocks(results) },
    { title: 'Setup', blocks: setupBlocks(results) },
    { title: 'How it was measured', blocks: [{ kind: 'list', items: METHOD }] },
  ];
  return {
    title: 'Evaluation',
    subtitle: `${format.plural(systems.length, 'system')} on ${format.plural(rows, 'row')}`,
    sections: sections.filter(({ blocks }) => blocks.length > 0),
  };
}

/** A value of a measure: '63.6 %' or '0.412'. */
const valueText = (value: number, { isPercent }: MeasureDescription): string =>
  isPercent ? format.percent(value) : decimal(value);

/** A difference of percentages is in percentage points. */
const differenceText = (value: number, measure: MeasureDescription): string =>
  valueText(value, measure).replace('%', 'points');

const decimal = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3);

const intervalText = (
  [low, high]: readonly [number, number],
  { isPercent }: MeasureDescription,
): string =>
  isPercent
    ? `${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)}`
    : `${decimal(low)} to ${decimal(high)}`;

function resultTable({ systems, measures, rows }: EvaluationResults): Block {
  return {
    kind: 'table',
    columns: [left('measure'), ...systems.map(({ name }) => right(name))],
    rows: [
      [
        textCell('answers'),
        ...systems.map(({ answers }) => ({
          text:
            answers === rows
              ? format.integer(rows)
              : `${format.integer(answers)} of ${format.integer(rows)}`,
          value: answers,
        })),
      ],
      ...measures.map((measure) => [
        textCell(measure.title),
        ...systems.map((system) => measureCell(system, measure)),
      ]),
    ],
  };
}

function measureCell(system: SystemResults, measure: MeasureDescription): Cell {
  const { value, interval, rows } = system.measures[measure.name]!;
  if (value === null) return NOT_MEASURED;
  const text = valueText(value, measure);
  return {
    text: interval === null ? text : `${text} (${intervalText(interval, measure)})`,
    value,
    note: `${format.plural(rows, 'row')}; in parentheses the 95 % interval`,
  };
}

/** Bars of the measures between 0 and 1. */
function charts({ systems, measures }: EvaluationResults): Block[] {
  const isFraction = ({ name, higherIsBetter }: MeasureDescription) =>
    higherIsBetter &&
    systems.every((system) => {
      const { value, interval } = system.measures[name]!;
      return value === null || [value, ...(interval ?? [])].every((each) => each >= 0 && each <= 1);
    });
  const shown = measures.filter(isFraction);
  if (shown.length === 0) return [];
  const measuredOf = (system: SystemResults, { name }: MeasureDescription) =>
    system.measures[name]!;
  return [
    {
      kind: 'chart',
      chart: {
        kind: 'bars',
        title: 'Results with 95 % intervals',
        names: shown.map(({ title }) => title),
        yTitle: 'from 0 to 1',
        // the lines of the intervals would cross them
        labels: false,
        series: systems.map((system) => ({
          name: system.name,
          values: shown.map((measure) => measuredOf(system, measure).value),
          ranges: shown.map((measure) => measuredOf(system, measure).interval),
        })),
      },
    },
  ];
}

function comparisonBlocks({ comparisons, measures }: EvaluationResults): Block[] {
  if (comparisons.length === 0) return [];
  return [
    {
      kind: 'table',
      columns: [
        left('measure'),
        left('system'),
        left('compared with'),
        ...['rows', 'difference', '95 % interval', 'p', 'p corrected'].map(right),
        left('better beyond chance'),
      ],
      rows: comparisons.map((comparison) => {
        const measure = measures.find(({ name }) => name === comparison.measure)!;
        const { a, b, rows, difference, interval, p, adjustedP, better } = comparison;
        const sign = difference > 0 ? '+' : '';
        return [
          textCell(measure.title),
          textCell(a),
          textCell(b),
          { text: format.integer(rows), value: rows },
          { text: `${sign}${differenceText(difference, measure)}`, value: difference },
          interval === null ? NOT_MEASURED : textCell(intervalText(interval, measure)),
          { text: format.pValue(p), value: p },
          { text: format.pValue(adjustedP), value: adjustedP },
          textCell(better ?? 'no'),
        ];
      }),
    },
    { kind: 'list', title: 'In words', items: comparisons.map(({ sentence }) => sentence) },
  ];
}

const share = (value: number | null): Cell =>
  value === null ? NOT_MEASURED : { text: value.toFixed(3), value };

function classificationSections({ systems, tasks }: EvaluationResults): Section[] {
  return tasks
    .filter(({ type }) => type === 'classification')
    .map(({ name }) => ({
      title: name === 'classification' ? 'Labels' : `Labels: ${name}`,
      blocks: systems.flatMap((system) => labelBlocks(system, name)),
    }));
}

function labelBlocks({ name, classifications, answers }: SystemResults, task: string): Block[] {
  const { labels, confusion, perLabel, unparsed } = classifications[task]!;
  return [
    {
      kind: 'table',
      title: `${name}: expected labels (rows) and labels of the answers (columns)`,
      columns: [
        left('expected'),
        ...labels.map(right),
        right('none'),
        ...['precision', 'recall', 'F1'].map(right),
      ],
      rows: perLabel.map(({ label, precision, recall, f1 }, i) => [
        textCell(label),
        ...confusion[i]!.map((count) => ({ text: format.integer(count), value: count })),
        share(precision),
        share(recall),
        share(f1),
      ]),
    },
    ...(unparsed === 0
      ? []
      : [
          {
            kind: 'text' as const,
            text: `${unparsed} of ${format.plural(answers, 'answer')} have no label and count as wrong.`,
          },
        ]),
  ];
}

const warningBlocks = ({ warnings }: EvaluationResults): Block[] =>
  warnings.length === 0 ? [] : [{ kind: 'list', items: warnings.map(({ message }) => message) }];

function leftOutBlocks({ badRows, systems }: EvaluationResults): Block[] {
  const lists = [
    {
      title: 'Left out for every system',
      items: badRows.map((row) => `${row.where}: ${row.message}`),
    },
    ...systems.map(({ name, missing }) => ({
      title: `Without an answer of ${name}`,
      items: missing.map(({ index, reason }) => `row ${index}: ${reason}`),
    })),
  ];
  return lists
    .filter(({ items }) => items.length > 0)
    .map(({ title, items }) => ({
      kind: 'list',
      title: `${title}: ${format.plural(items.length, 'row')}`,
      items: [
        ...items.slice(0, MOST_LISTED),
        ...(items.length > MOST_LISTED ? [`and ${items.length - MOST_LISTED} more`] : []),
      ],
    }));
}

function setupBlocks({ files, settings, systems }: EvaluationResults): Block[] {
  const options = Object.entries(settings)
    .filter(([, value]) => !Array.isArray(value) || value.length > 0)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [
    {
      kind: 'facts',
      facts: [
        ['Dataset', files.length === 0 ? 'rows from memory' : files.join(', ')],
        ['Generation', options.join(', ')],
      ],
    },
    {
      kind: 'table',
      columns: [left('system'), left('from'), right('cut off'), right('tokens'), right('time')],
      rows: systems.map(({ name, model, adapters, outputs, ...counts }) => [
        textCell(name),
        textCell(
          outputs ??
            [
              model,
              ...adapters.map(({ path, scale }) => (scale === 1 ? path : `${path}@${scale}`)),
            ].join(' + '),
        ),
        { text: format.integer(counts.truncated), value: counts.truncated },
        counts.generatedTokens === null
          ? NOT_MEASURED
          : { text: format.integer(counts.generatedTokens), value: counts.generatedTokens },
        counts.seconds === null
          ? NOT_MEASURED
          : { text: format.duration(1000 * counts.seconds), value: counts.seconds },
      ]),
    },
  ];
}

const METHOD = [
  'A value is over the rows that the system answered. Its interval is a 95 % percentile bootstrap over rows; fewer than ' +
    '3 rows, or rows that are all equal, cannot carry one.',
  'A difference is over the rows that both systems answered. p is the probability of a difference at least as large if the ' +
    'systems were exchangeable on each row (paired randomization test); it is corrected for all differences in the table ' +
    "(Holm). Below 0.05 the difference is called 'beyond chance'.",
  'Cut off: answers that reached maxTokens.',
];
