/** Formats numbers for people. `null` (not measured) is always a dash. */

/** Decimal units: 1 kB is 1000 B. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${size} B` : `${size.toFixed(size < 10 ? 2 : 1)} ${units[unit]}`;
}

/** Parameters: 494.0 M, 7.62 B. */
export function count(value: number): string {
  for (const [limit, unit] of [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'K'],
  ] as const) {
    if (value >= limit) {
      const size = value / limit;
      return `${size.toFixed(size < 10 ? 2 : 1)} ${unit}`;
    }
  }
  return String(value);
}

/** 4.2 s, 3 min 05 s, 2 h 07 min. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** Tokens per second: three significant digits below a thousand, whole numbers with separators above. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value >= 1000) return integer(Math.round(value));
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function integer(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : value.toLocaleString('en-US');
}

export function loss(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(4);
}

/** 'token accuracy' for tokenAccuracy */
export function metricName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** An accuracy in percent, another metric as a number. */
export function metric(name: string, value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return /accuracy$/i.test(name) ? percent(value) : value.toFixed(4);
}

/** 'token accuracy 61.2 %' for each metric */
export function metrics(values: Readonly<Record<string, number | null>>): string[] {
  return Object.entries(values).map(
    ([name, value]) => `${metricName(name)} ${metric(name, value)}`,
  );
}

/** 0.613 as 61.3 % */
export function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

/** A p value: 0.012, < 0.001 */
export function pValue(value: number): string {
  return value < 0.001 ? '< 0.001' : value.toFixed(3);
}

/** A p value in a sentence: p = 0.012, p < 0.001 */
export function pEquation(value: number): string {
  return value < 0.001 ? `p ${pValue(value)}` : `p = ${pValue(value)}`;
}

/** 1.0e-4 */
export function learningRate(value: number): string {
  return value === 0 ? '0' : value.toExponential(1);
}

/** '1 epoch', '3 epochs' */
export function plural(value: number, noun: string): string {
  return `${integer(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** 'step 12: rescue (17 → 8): the loss is not finite' */
export function intervention(event: {
  step: number;
  kind: string;
  reason: string;
  before: number | null;
  after: number | null;
}): string {
  const { step, kind, reason, before, after } = event;
  const number = (value: number) => String(Number(value.toPrecision(4)));
  const change = before === null || after === null ? '' : ` (${number(before)} → ${number(after)})`;
  return `step ${step}: ${kind}${change}: ${reason}`;
}
