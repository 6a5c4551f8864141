import { basename } from 'node:path';
import type { TrialResult } from '../../bench/suite/results.js';

/** Whether the model is a shape, whose quality means nothing. */
const hasRandomWeights = ({ spec }: Pick<TrialResult, 'spec'>): boolean =>
  spec.model.startsWith('shape:');

/** The name of a model in a report: that of the shape, or of the file. */
export function modelName({ spec }: Pick<TrialResult, 'spec'>): string {
  const { model } = spec;
  return hasRandomWeights({ spec })
    ? `${model.slice('shape:'.length)} (random weights)`
    : basename(model, '.gguf');
}

/** Whether the losses of a trial say something about the model: those of random weights or random tokens do not. */
export const hasLosses = ({ spec }: Pick<TrialResult, 'spec'>): boolean =>
  spec.kind === 'training' && spec.dataset !== null && !hasRandomWeights({ spec });

/** The whole name of a trial in a report. */
export const trialName = (trial: TrialResult): string =>
  [modelName(trial), trial.spec.weightType, trial.spec.device, trial.label]
    .filter((part) => part !== '')
    .join(', ');

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
