import type { Measure, TrialResult } from '../../bench/suite/results.js';
import * as format from '../../format.js';
import { type Cell, NOT_MEASURED } from './document.js';
import { hasLosses } from './names.js';

/** A value in its unit, for people. */
export function valueText(value: number, unit: Measure['unit']): string {
  switch (unit) {
    case 's':
      return format.duration(value * 1000);
    case 'bytes':
      return format.bytes(value);
    case 'nats':
      return value.toFixed(4);
    case 'tokens/s':
    case 'samples/s':
    case 'W':
    case 'Wh':
    case 'tokens/Wh':
      return format.rate(value);
    default:
      return Number.isInteger(value) ? format.integer(value) : value.toPrecision(3);
  }
}

/** What a trial that did not succeed shows instead of values. */
export function outcomeText({ outcome }: TrialResult): string | undefined {
  switch (outcome.status) {
    case 'ok':
      return undefined;
    case 'oom':
      return 'OOM';
    case 'timeout':
      return 'timeout';
    case 'failed':
      return `failed: ${outcome.code}`;
  }
}

type Statistic = 'median' | 'mean' | 'min' | 'max';

/**
 * A cell with one statistic of a measure, or how the trial ended. Extrapolated values begin with ≈. Losses of random weights
 * or random tokens are not shown.
 */
export function cellOf(trial: TrialResult, name: string, statistic: Statistic = 'median'): Cell {
  const failure = outcomeText(trial);
  if (failure !== undefined) {
    const { outcome } = trial;
    return { text: failure, ...('message' in outcome ? { note: outcome.message } : {}) };
  }
  const measure = trial.measures[name];
  if (measure === undefined || (measure.unit === 'nats' && !hasLosses(trial))) return NOT_MEASURED;
  const extrapolated = measure.source === 'extrapolated';
  const value = measure[extrapolated ? 'mean' : statistic];
  return {
    text: `${extrapolated ? '≈ ' : ''}${valueText(value, measure.unit)}`,
    value,
    note: noteOf(measure),
  };
}

const SCOPES = { cpu: 'CPU', memory: 'memory', gpu: 'GPU', machine: 'machine' } as const;

/** The same, where a power says what it covers: '240 (CPU + GPU)'. For tables that do not list the measured devices. */
export function cellWithScope(trial: TrialResult, name: string, statistic: Statistic): Cell {
  const cell = cellOf(trial, name, statistic);
  if (name !== 'averagePower' || cell.value === undefined) return cell;
  const counted = trial.hardware?.power.filter((each) => each.counted) ?? [];
  const scopes = [...new Set(counted.map(({ scope }) => SCOPES[scope]))];
  return { ...cell, text: `${cell.text} (${scopes.join(' + ')})` };
}

function noteOf(measure: Measure): string {
  const { unit, samples, interval, min, max, source } = measure;
  const text = (value: number) => valueText(value, unit);
  if (samples.length === 1) return 'one measurement';
  const of = `${samples.length} ${source === 'measured' ? 'measurements' : 'measured steps'}`;
  const range = `${text(min)} to ${text(max)}`;
  return interval === null
    ? `${of}, ${range}`
    : `${of}, ${range}; 95 % interval ${text(interval[0])} to ${text(interval[1])}`;
}

/** '+12.3 %' for the ratio 1.123 to a baseline. */
export function percentChange(ratio: number): string {
  const change = 100 * (ratio - 1);
  return `${change >= 0 ? '+' : '−'}${Math.abs(change).toFixed(1)} %`;
}

export const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;
