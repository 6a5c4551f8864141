import { type ExpertCounts, expertUse } from '../index.js';

/** '2 of 48 not used, entropy 2.31 to 2.89 of 3.00 bits'; undefined if nothing was counted. */
export function expertsText(layers: readonly ExpertCounts[] | null): string | undefined {
  const uses = (layers ?? []).flatMap((layer) => expertUse(layer) ?? []);
  if (layers === null || uses.length === 0) return undefined;
  const experts = layers.reduce((total, { counts }) => total + counts.length, 0);
  const dead = uses.reduce((total, use) => total + use.dead, 0);
  const entropies = uses.map(({ entropy }) => entropy);
  const most = Math.log2(layers[0]!.counts.length);
  return (
    `${dead} of ${experts} not used, entropy ${Math.min(...entropies).toFixed(2)} ` +
    `to ${Math.max(...entropies).toFixed(2)} of ${most.toFixed(2)} bits`
  );
}
