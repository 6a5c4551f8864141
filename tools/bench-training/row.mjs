// One row of the benchmark from the measurements of one training run.
import path from 'node:path';
import { attentionFlopPerToken, flopPerToken, shapes } from './shapes.mjs';

/** The median; null for no values. */
export function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

const parts = ['forward', 'backward', 'loss', 'optimizer', 'data'];

/**
 * @param spec the options of the row: model, type, sequence, microBatch, precision, threads, warmup, …
 * @param run.steps the run's step events, warm-up first
 * @param run.gradientCheckpointing, run.weightCache whether they were on
 * @param run.peaks results of measurePeak() before and after it
 * @returns the row; values that were not measured are null
 */
export function buildRow(spec, run) {
  const measured = run.steps.slice(spec.warmup);
  if (measured.length === 0) {
    throw new Error(
      `the run made ${run.steps.length} steps, but more than ${spec.warmup} warm-up steps are needed`,
    );
  }
  const sum = (key) => measured.reduce((total, step) => total + step[key], 0);
  const rates = measured.map((step) => (step.tokens * 1000) / step.stepMs);
  const tokensPerSecond = median(rates);
  // A user's file has a path; its floating-point operations are not counted.
  const shape =
    spec.file === undefined || spec.file === spec.model ? shapes[spec.model] : undefined;
  const perToken = shape
    ? flopPerToken(shape, {
        rank: spec.rank,
        targetShare: sum('targetTokens') / sum('tokens'),
        targets: spec.targets,
      })
    : null;
  const attention = shape && !spec.ragged ? attentionFlopPerToken(shape, spec.sequence) : null;
  const achievedGflops = perToken === null ? null : (tokensPerSecond * perToken) / 1e9;
  // The higher of the two: another program may have slowed one of them down.
  const peak = run.peaks.reduce((a, b) => (b.medianGflops > a.medianGflops ? b : a));
  const { model, type, sequence, microBatch, precision } = spec;
  return {
    model,
    type,
    sequence,
    microBatch,
    precision,
    ragged: spec.ragged,
    layout: spec.layout,
    ...(spec.data === undefined
      ? {}
      : { data: path.basename(spec.data), batchSize: spec.batchSize }),
    // the choices of 'auto'
    gradientCheckpointing: run.gradientCheckpointing ? 'on' : 'off',
    weightCache: run.weightCache ? 'on' : 'off',
    rank: spec.rank,
    ...(spec.targets === 'attention' ? { targets: 'attention' } : {}),
    threads: peak.threads,
    steps: measured.length,
    warmup: spec.warmup,
    tokensPerSecond,
    minTokensPerSecond: Math.min(...rates),
    maxTokensPerSecond: Math.max(...rates),
    tokensPerStep: sum('tokens') / measured.length,
    // Fraction of the batch's positions that hold a token.
    filled:
      spec.layout === 'padded' && spec.data === undefined
        ? sum('tokens') / (measured.length * sequence * microBatch)
        : null,
    stepMs: median(measured.map(({ stepMs }) => stepMs)),
    ...Object.fromEntries(
      parts.map((part) => [
        `${part}Ms`,
        median(measured.map((step) => step[`${part}Ms`]).filter((ms) => ms !== null)),
      ]),
    ),
    peakMemoryBytes: run.peakMemoryBytes,
    startToFirstStepMs: run.startToFirstStepMs,
    flopPerToken: perToken,
    achievedGflops,
    peakGflops: peak.medianGflops,
    peakGflopsBefore: run.peaks[0].medianGflops,
    peakGflopsAfter: run.peaks.at(-1).medianGflops,
    peakPrecision: peak.precision,
    peakLibrary: peak.library,
    fractionOfLimit: achievedGflops === null ? null : achievedGflops / peak.medianGflops,
    fractionWithAttention:
      attention === null
        ? null
        : (tokensPerSecond * (perToken + attention)) / 1e9 / peak.medianGflops,
    loadBefore: run.loadBefore ?? null,
    ...(run.environment && Object.keys(run.environment).length > 0
      ? { environment: run.environment }
      : {}),
  };
}

/** The options that identify a row; repeated measurements have the same key. */
function rowKey(row) {
  return JSON.stringify([
    row.model,
    row.type,
    row.sequence,
    row.microBatch,
    row.precision,
    row.ragged,
    row.layout,
    row.data,
    row.batchSize,
    row.gradientCheckpointing,
    row.weightCache,
    row.rank,
    row.targets,
    row.threads,
    row.environment ?? {},
  ]);
}

/** Earlier rows, with repeated measurements replaced. */
export function mergeRows(earlier, rows) {
  const merged = new Map(earlier.map((row) => [rowKey(row), row]));
  for (const row of rows) merged.set(rowKey(row), row);
  return [...merged.values()];
}
