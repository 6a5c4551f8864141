import { basename } from 'node:path';
import type { TrialResult } from '../../bench/suite/results.js';

/** Whether the model is a shape, whose quality means nothing. */
export const hasRandomWeights = ({ spec }: Pick<TrialResult, 'spec'>): boolean =>
  spec.model.startsWith('shape:');

/** The name of a model in a report: that of the shape, or of the file. */
export function modelName({ spec }: Pick<TrialResult, 'spec'>): string {
  const { model } = spec;
  return hasRandomWeights({ spec })
    ? `${model.slice('shape:'.length)} (random weights)`
    : basename(model, '.gguf');
}

/** The trials by a key, in the order of their first appearance. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups];
}

/** Device and weight type as a column title, e.g. 'cpu (Q8_0)'. */
export function columnName({ spec }: Pick<TrialResult, 'spec'>): string {
  return spec.weightType === 'as-is' ? spec.device : `${spec.device} (${spec.weightType})`;
}
