/** Values whose mean is the level of a series. */
export const LEVEL_STEPS = 4;

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The mean of the last values; null while there are too few. */
export const levelOf = (values: readonly number[]): number | null =>
  values.length < LEVEL_STEPS ? null : meanOf(values.slice(-LEVEL_STEPS));

/**
 * The standard deviation of the noise of a series: the root of the mean of max(0, xᵢ - xᵢ₋₁)². For noise around a constant it
 * equals that of the mean square successive difference (von Neumann 1941, doi 10.1214/aoms/1177731677), and a series that
 * falls has none, however steep it is.
 */
export function noiseOf(values: readonly number[]): number {
  const rises = values.slice(1).map((value, i) => Math.max(0, value - (values[i] as number)));
  return rises.length === 0 ? 0 : Math.sqrt(meanOf(rises.map((rise) => rise ** 2)));
}

/**
 * The limit above which the next value is a spike: mean + threshold · max(noise, floor) · (1 + 4 / n), with the mean of the
 * last 4 values. Spikes by their z-score are from ZClip (arXiv 2504.02507, there for gradient norms). The last factor widens
 * the limit while few values are known; it and the floor are rules of thumb.
 */
export function spikeLimit(values: readonly number[], threshold: number, floor: number): number {
  if (values.length === 0) return Number.POSITIVE_INFINITY;
  const deviation = Math.max(noiseOf(values), floor);
  return meanOf(values.slice(-LEVEL_STEPS)) + threshold * deviation * (1 + 4 / values.length);
}

/** The noise is not taken to be less than this: 5 % of the mean loss. */
const LOSS_FLOOR = 0.05;
/** The same for logarithms of gradient norms: a factor of about 1.3. */
const LOG_NORM_FLOOR = 0.25;

const lossFloor = (losses: readonly number[]): number =>
  LOSS_FLOOR * meanOf(losses.slice(-LEVEL_STEPS));

export function lossLimit(losses: readonly number[], threshold: number): number {
  if (losses.length === 0) return Number.POSITIVE_INFINITY;
  return spikeLimit(losses, threshold, lossFloor(losses));
}

/** The limit of gradient norms, which vary by factors: that of their logarithms. */
export function normLimit(norms: readonly number[], threshold: number): number {
  const logs = norms.filter((norm) => norm > 0).map(Math.log);
  return Math.exp(spikeLimit(logs, threshold, LOG_NORM_FLOOR));
}

/**
 * The limit above which the level of a series has risen from its lowest one: by a fraction, and by more deviations of the
 * difference of two means than the threshold.
 */
export function riseLimit(
  losses: readonly number[],
  lowest: number,
  { threshold, rise }: { threshold: number; rise: number },
): number {
  const deviation = Math.max(noiseOf(losses), lossFloor(losses)) * Math.sqrt(2 / LEVEL_STEPS);
  return lowest + Math.max(rise * lowest, threshold * deviation);
}
