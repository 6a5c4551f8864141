import type { Measure, TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { outcomeText } from '../suite/cells.js';
import type { Block } from '../suite/document.js';
import { machineDrift } from '../suite/drift.js';
import { groupBy } from '../suite/names.js';

/** A trial with how much the speed of its machine changed during the whole suite. */
export type ComparedTrial = TrialResult & { drift: number };

/** What the speeds of a table show: nothing about differences whose intervals overlap. */
export function observations(trials: readonly ComparedTrial[], verb: string): Block[] {
  const items = [
    ...fastestDevices(trials, verb),
    ...fastestWeights(trials, verb),
    ...failures(trials),
  ];
  return items.length === 0 ? [] : [{ kind: 'list', title: 'Key observations', items }];
}

/** For each weight type, the device that is faster than every other one. */
function fastestDevices(trials: readonly ComparedTrial[], verb: string): string[] {
  return groupBy(trials, ({ spec }) => spec.weightType).flatMap(([type, group]) => {
    const found = fastest(group);
    return found === undefined
      ? []
      : [
          `${found.first.trial.spec.device} ${verb} fastest with ${type}: ${speedText(found.first)} tokens/s, ` +
            `${ratioText(found)} times as fast as ${found.second.trial.spec.device}.`,
        ];
  });
}

/** For each device, the weight type that is faster than every other one. */
function fastestWeights(trials: readonly ComparedTrial[], verb: string): string[] {
  return groupBy(trials, ({ spec }) => spec.device).flatMap(([device, group]) => {
    const found = fastest(group);
    return found === undefined
      ? []
      : [
          `On ${device}, ${found.first.trial.spec.weightType} ${verb} fastest: ${ratioText(found)} times as fast as ` +
            `${found.second.trial.spec.weightType}.`,
        ];
  });
}

interface Speed {
  trial: ComparedTrial;
  measure: Measure;
}

/**
 * The fastest trial and the next one, if the interval of the first is above that of every other trial, and it is faster
 * than the next one by more than the speed of the machine changed during the trials.
 */
function fastest(trials: readonly ComparedTrial[]): { first: Speed; second: Speed } | undefined {
  const speeds = trials.flatMap((trial): Speed[] => {
    const measure = trial.measures.tokensPerSecond;
    return measure === undefined ? [] : [{ trial, measure }];
  });
  const [first, ...others] = speeds.sort((a, b) => b.measure.median - a.measure.median);
  const second = others[0];
  if (first === undefined || second === undefined) return undefined;
  const low = first.measure.interval?.[0] ?? Number.NEGATIVE_INFINITY;
  const isFaster = others.every(({ measure: { interval } }) => interval && interval[1] < low);
  return isFaster && first.measure.median > driftOf(first, second) * second.measure.median
    ? { first, second }
    : undefined;
}

/** How much the ratio of two speeds may be due to changes of their machines. */
function driftOf({ trial: a }: Speed, { trial: b }: Speed): number {
  return a.spec.device === b.spec.device ? machineDrift([a, b]) : a.drift * b.drift;
}

const speedText = ({ measure }: Speed): string => format.rate(measure.median);
const ratioText = ({ first, second }: { first: Speed; second: Speed }): string =>
  format.rate(first.measure.median / second.measure.median);

/** 'x has no result with F32, F16: OOM.' */
function failures(trials: readonly ComparedTrial[]): string[] {
  const failed = trials.filter((trial) => outcomeText(trial) !== undefined);
  return groupBy(failed, (trial) => `${trial.spec.device} ${outcomeText(trial)}`).map(
    ([, group]) => {
      const types = group.map(({ spec }) => spec.weightType).join(', ');
      return `${group[0]!.spec.device} has no result with ${types}: ${outcomeText(group[0]!)}.`;
    },
  );
}
