import { describe, expect, it } from 'vitest';
import { columnTable, listTable } from '../../../src/cli/table.js';

describe('tables', () => {
  it('list names and values without lines between them', () => {
    expect(
      listTable([
        ['Steps', '30'],
        ['Loss', '1.5'],
      ]),
    ).toBe(['┌───────┬─────┐', '│ Steps │ 30  │', '│ Loss  │ 1.5 │', '└───────┴─────┘'].join('\n'));
  });

  it('have one line under the headings, texts left and numbers right', () => {
    expect(
      columnTable(
        ['Type', 'Size'],
        [
          ['F32', 2],
          ['Q8_0', 10],
        ],
      ),
    ).toBe(
      [
        '┌──────┬──────┐',
        '│ Type │ Size │',
        '├──────┼──────┤',
        '│ F32  │    2 │',
        '│ Q8_0 │   10 │',
        '└──────┴──────┘',
      ].join('\n'),
    );
  });
});
