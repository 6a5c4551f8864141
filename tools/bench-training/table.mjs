// Renders rows as a table, as text and as Markdown for benchmarks/results/.
import path from 'node:path';

const round = (value, digits = 0) => (value === null ? '–' : value.toFixed(digits));
const seconds = (ms) => (ms === null ? '–' : (ms / 1000).toFixed(2));

const columns = [
  ['model', (row) => row.model],
  ['type', (row) => row.type],
  ['batch', (row) => `${sizeOf(row)}${lengthsOf(row)}`],
  ['precision', (row) => [row.precision, ...environmentOf(row)].join(' ')],
  ['checkpointing', (row) => row.gradientCheckpointing],
  ['cache', (row) => row.weightCache ?? '–'],
  ['tokens/s', (row) => round(row.tokensPerSecond)],
  ['min–max', (row) => `${round(row.minTokensPerSecond)}–${round(row.maxTokensPerSecond)}`],
  ['forward s', (row) => seconds(row.forwardMs)],
  ['loss s', (row) => seconds(row.lossMs)],
  ['backward s', (row) => seconds(row.backwardMs)],
  ['optimizer s', (row) => seconds(row.optimizerMs)],
  ['start s', (row) => seconds(row.startToFirstStepMs)],
  [
    'memory GB',
    (row) => (row.peakMemoryBytes === null ? '–' : round(row.peakMemoryBytes / 1e9, 2)),
  ],
  ['GFLOP/s', (row) => round(row.achievedGflops)],
  ['peak', (row) => `${round(row.peakGflops)} ${row.peakPrecision}`],
  ['load', (row) => round(row.loadBefore, 1)],
  ['of limit', (row) => round(row.fractionOfLimit, 3)],
  ['with attention', (row) => round(row.fractionWithAttention ?? null, 3)],
];

const sizeOf = ({ data, batchSize, microBatch, sequence }) =>
  data === undefined ? `${microBatch}×${sequence}` : `${batchSize} of ${path.basename(data)}`;
const lengthsOf = ({ ragged, layout, data, microBatch }) =>
  `${ragged ? ' ragged' : ''}${layout === 'padded' ? ' padded' : ''}` +
  (data !== undefined && layout === 'padded' ? `, ${microBatch} at a time` : '');
const environmentOf = ({ environment = {} }) =>
  Object.entries(environment).map(([name, value]) => `${name}=${value}`);

/** Cells of a row; a failed row has its error code in the column of the speed. */
function cellsOf(row) {
  if (row.error === undefined) return columns.map(([, cell]) => cell(row));
  return columns.map(([title, cell], i) =>
    i < 6 ? cell(row) : title === 'tokens/s' ? row.error.code : '',
  );
}

/** Rows of cells as aligned text, the first `left` columns to the left, the others to the right. */
export function alignColumns(cells, left) {
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  return cells
    .map((row) =>
      row.map((cell, i) => (i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))),
    )
    .map((row) => row.join('  ').trimEnd())
    .join('\n');
}

export const textTable = (rows) =>
  alignColumns([columns.map(([title]) => title), ...rows.map(cellsOf)], 6);

function markdownTable(rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(([title]) => title)),
    line(columns.map((_, i) => (i < 6 ? '---' : '---:'))),
    ...rows.map((row) => line(cellsOf(row))),
  ].join('\n');
}

/** A file of results, for people. */
export function markdownReport({ date, machine, rows }) {
  const { cpu, cores, flags, memoryBytes, node, llamaCpp, accelerator, llamatune, commit } =
    machine;
  return `# Training speed, ${date}

| | |
|---|---|
| CPU | ${cpu}, ${cores} cores |
| instruction sets | ${flags.join(' ') || 'unknown'} |
| memory | ${(memoryBytes / 1e9).toFixed(1)} GB |
| system | ${machine.os} (${machine.platform}) |
| Node.js | ${node} |
| llama.cpp | ${llamaCpp} |
| matrix products | ${accelerator ?? "ggml's own"} |
| llamatune | ${llamatune}, commit ${commit ?? 'unknown'} |

Median of the steps after warm-up; tokens without padding. The columns are explained in [performance.md](../../docs/performance.md).

${markdownTable(rows)}
`;
}
