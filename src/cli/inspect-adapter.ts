import * as format from '../format.js';
import type { AdapterInfo } from '../index.js';
import { columnTable, listTable } from './table.js';

/** Weight kinds with an adapter ('attn_q'), how many weights of each have one, and their ranks, in file order. */
export function adapterTargets({
  weights,
}: AdapterInfo): { target: string; weights: number; ranks: number[] }[] {
  const targets = new Map<string, { target: string; weights: number; ranks: number[] }>();
  for (const { name, rank } of weights) {
    const target = name.replace(/^blk\.\d+\./, '').replace(/\.weight$/, '');
    const known = targets.get(target) ?? { target, weights: 0, ranks: [] };
    const ranks = known.ranks.includes(rank) ? known.ranks : [...known.ranks, rank];
    targets.set(target, { target, weights: known.weights + 1, ranks });
  }
  return [...targets.values()];
}

/** Number of transformer layers in which a weight has an adapter. */
export function adaptedLayers({ weights }: AdapterInfo): number {
  return new Set(weights.flatMap(({ name }) => /^blk\.(\d+)\./.exec(name)?.[1] ?? [])).size;
}

/** The adapter and its targets as tables. */
export function adapterTables(path: string, info: AdapterInfo): string[] {
  const { architecture, rank, alpha, rsLora, parameters, base } = info;
  const baseModel =
    base === null
      ? 'not recorded'
      : `${base.name === '' ? 'without a name' : base.name}, ${base.layers} layers of width ${format.integer(base.embeddingLength)}`;
  return [
    listTable([
      ['File', path],
      ['Kind', 'LoRA adapter'],
      ['Base architecture', architecture],
      ['Base model', baseModel],
      ['Rank', rank === null ? 'differs between weights' : String(rank)],
      ['Alpha', alpha === null ? '–' : String(alpha)],
      ['rsLoRA', rsLora === null ? 'not recorded' : rsLora ? 'yes' : 'no'],
      ['Adapted layers', String(adaptedLayers(info))],
      ['Parameters', `${format.count(parameters)} (${format.integer(parameters)})`],
    ]),
    columnTable(
      ['Target', 'Weights', 'Rank'],
      adapterTargets(info).map(({ target, weights, ranks }) => [target, weights, ranks.join(', ')]),
    ),
  ];
}
