import Table from 'cli-table3';

/** Names and values, without lines between the rows. */
export function listTable(rows: readonly (readonly [name: string, value: string])[]): string {
  const table = new Table({
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** A table with headings; the first `textColumns` columns are text, the others numbers. */
export function columnTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  textColumns = 1,
): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column < textColumns ? 'left' : 'right')),
    style: { head: [], border: [] },
  });
  for (const row of rows) table.push([...row]);
  return withoutInnerLines(table.toString());
}

/** A line under the headings, none between the rows. */
function withoutInnerLines(text: string): string {
  let seen = 0;
  return text
    .split('\n')
    .filter((line) => !line.startsWith('├') || seen++ === 0)
    .join('\n');
}
