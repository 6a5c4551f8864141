// The comparison of recorded runs, as numbers and as Markdown.

import { lossLimit } from '../../dist/adaptive/spike.js';
import { bootstrapInterval, pairedTest } from '../../dist/statistics.js';
import { baselineOf, variants } from './variants.mjs';

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

/** A run reaches the target when its validation loss is at most 2 % above the usual end of static training. */
const TARGET_MARGIN = 1.02;
/** Losses before a step that decide whether it is a spike, and deviations above their mean. */
const SPIKE_WINDOW = 32;
const SPIKE_THRESHOLD = 6;

/** Steps whose loss is a spike, by the rule of the built-in controller, in a run that ignores them. */
export function spikesOf(losses) {
  return losses.filter((loss, i) => {
    const before = losses.slice(Math.max(0, i - SPIKE_WINDOW), i).filter(Number.isFinite);
    return !Number.isFinite(loss) || loss > lossLimit(before, SPIKE_THRESHOLD);
  }).length;
}

/** The first evaluation of a run with at most this loss: its step and the samples until then; null if there is none. */
export const reached = ({ evaluations }, target) =>
  evaluations.find(({ loss }) => loss !== null && loss <= target) ?? null;

/** One entry for each variant of each task. */
export function summarize(runs) {
  return [...new Set(runs.map(({ task }) => task))].flatMap((task) => {
    const ofTask = runs.filter((run) => run.task === task);
    const ends = ofTask.filter(({ variant }) => variant === 'static').map(finalLoss);
    const target = ends.length === 0 ? null : TARGET_MARGIN * median(ends);
    return Object.keys(variants)
      .map((variant) => summaryOf(ofTask, variant, target))
      .filter((summary) => summary !== undefined)
      .map((summary) => ({ task, target, ...summary }));
  });
}

/** A run that failed or diverged to infinity has no loss. */
const finalLoss = ({ validationLoss }) => validationLoss ?? Number.POSITIVE_INFINITY;

function summaryOf(runs, variant, target) {
  const own = runs.filter((run) => run.variant === variant);
  if (own.length === 0) return undefined;
  const losses = own.map(finalLoss);
  const arrivals = own.map((run) => (target === null ? null : reached(run, target)));
  const arrived = arrivals.filter((each) => each !== null);
  return {
    variant,
    seeds: own.length,
    validationLoss: mean(losses),
    interval:
      losses.every(Number.isFinite) && losses.length > 2 ? bootstrapInterval(losses, mean) : null,
    comparison: comparisonOf(runs, own, variant),
    reached: arrived.length,
    steps: arrived.length === 0 ? null : median(arrived.map(({ step }) => step)),
    samples: arrived.length === 0 ? null : median(arrived.map(({ samples }) => samples)),
    spikes: mean(own.map((run) => spikesOf(run.losses.map((loss) => loss ?? Number.NaN)))),
    interventions: countsOf(own),
  };
}

/** The paired test with the baseline, over the seeds that both have. */
function comparisonOf(runs, own, variant) {
  const baseline = baselineOf(variant);
  if (baseline === variant) return null;
  const pairs = own.flatMap((run) => {
    const other = runs.find((each) => each.variant === baseline && each.seed === run.seed);
    return other === undefined ? [] : [[finalLoss(run), finalLoss(other)]];
  });
  if (pairs.length < 3 || !pairs.flat().every(Number.isFinite)) return null;
  return pairedTest(
    pairs.map(([a]) => a),
    pairs.map(([, b]) => b),
  );
}

/** Interventions per run by kind. */
function countsOf(runs) {
  const counts = {};
  for (const { kind } of runs.flatMap(({ interventions }) => interventions)) {
    counts[kind] = (counts[kind] ?? 0) + 1 / runs.length;
  }
  return counts;
}

const number = (value, digits = 3) => (Number.isFinite(value) ? value.toFixed(digits) : '∞');
const range = (interval) =>
  interval === null ? '' : ` [${number(interval[0])}, ${number(interval[1])}]`;

export function markdown(runs) {
  const lines = summarize(runs).map((row) => {
    const { comparison } = row;
    const kinds = Object.entries(row.interventions).map(([kind, n]) => `${number(n, 1)} ${kind}`);
    const cells = [
      row.task,
      row.variant,
      row.seeds,
      `${number(row.validationLoss)}${range(row.interval)}`,
      comparison === null
        ? '–'
        : `${number(comparison.difference)}${range(comparison.interval)}, p ${number(comparison.p)}`,
      `${row.reached} of ${row.seeds}`,
      row.steps ?? '–',
      row.samples ?? '–',
      number(row.spikes, 1),
      kinds.join(', ') || '–',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| task | variant | seeds | final validation loss | difference to static | reached the target | steps until then | samples until then | spikes per run | interventions per run |',
    '|---|---|---:|---:|---:|---:|---:|---:|---:|---|',
    ...lines,
  ].join('\n');
}
