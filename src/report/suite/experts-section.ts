import type { TrialResult } from '../../bench/suite/results.js';
import { type ExpertUse, expertUse } from '../../expert-use.js';
import { percent } from './cells.js';
import { type Block, type Cell, right, textCell } from './document.js';
import { groupBy, trialName } from './names.js';

const COLUMNS = [
  'Layer',
  'Experts',
  'Least used',
  'Most used',
  'Standard deviation',
  'Routing entropy, bits',
  'Dead experts',
].map(right);

/** How evenly the trials with expertStatistics used the experts of each layer. */
export function expertBlocks(trials: readonly TrialResult[]): Block[] {
  const counted = trials.filter(({ experts }) => (experts ?? []).length > 0);
  // Runs of the same training route their tokens in the same way.
  const different = groupBy(counted, ({ experts }) => JSON.stringify(experts));
  return different.flatMap(([, same]): Block[] => {
    const title = `Use of experts: ${same.map(trialName).join('; ')}`;
    const { expertSpans: spans } = same[0]!;
    return [
      { kind: 'table', title, columns: COLUMNS, rows: rowsOf(same[0]!) },
      ...(spans.length < 2
        ? []
        : [{ kind: 'chart' as const, chart: { kind: 'experts' as const, title, spans } }]),
    ];
  });
}

function rowsOf({ experts }: TrialResult): Cell[][] {
  const layers = (experts ?? []).flatMap(({ layer, counts }) => {
    const use = expertUse({ counts });
    return use === null ? [] : [{ layer, experts: counts.length, use }];
  });
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const of = (field: keyof ExpertUse) => layers.map(({ use }) => use[field]);
  const mean = (field: keyof ExpertUse) => sum(of(field)) / layers.length;
  const all: ExpertUse = {
    leastUsed: Math.min(...of('leastUsed')),
    mostUsed: Math.max(...of('mostUsed')),
    standardDeviation: mean('standardDeviation'),
    entropy: mean('entropy'),
    dead: sum(of('dead')),
  };
  const most = Math.max(...layers.map(({ experts: count }) => Math.log2(count)));
  const total = sum(layers.map(({ experts: count }) => count));
  return [
    ...layers.map(({ layer, experts: count, use }) =>
      rowOf({ text: String(layer), value: layer }, count, use, Math.log2(count)),
    ),
    ...(layers.length < 2 ? [] : [rowOf(textCell('all'), total, all, most)]),
  ];
}

function rowOf(name: Cell, experts: number, use: ExpertUse, most: number): Cell[] {
  const share = (value: number): Cell => ({ text: percent(value), value });
  return [
    name,
    { text: String(experts), value: experts },
    share(use.leastUsed),
    share(use.mostUsed),
    share(use.standardDeviation),
    { text: `${use.entropy.toFixed(2)} of ${most.toFixed(2)}`, value: use.entropy },
    { text: `${use.dead} (${percent(use.dead / experts)})`, value: use.dead },
  ];
}
