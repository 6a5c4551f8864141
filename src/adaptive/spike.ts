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

/** Gradient norms vary by factors, so their logarithms are compared. */
const logarithms = (norms: readonly number[]): number[] =>
  norms.filter((norm) => norm > 0).map(Math.log);

/** The limit of gradient norms: that of their logarithms. */
export function normLimit(norms: readonly number[], threshold: number): number {
  return Math.exp(spikeLimit(logarithms(norms), threshold, LOG_NORM_FLOOR));
}

/** The lowest level of a series, and the standard deviation of its noise until then. */
export interface LowestLevel {
  level: number;
  deviation: number;
}

function lowestLevel(
  before: LowestLevel | null,
  values: readonly number[],
  floor: number,
): LowestLevel | null {
  const level = levelOf(values);
  if (level === null || (before !== null && before.level <= level)) return before;
  return { level, deviation: Math.max(noiseOf(values), floor) };
}

/** The lowest level of the losses of a run, and that of the logarithms of its gradient norms. */
export interface LowestLevels {
  loss: LowestLevel | null;
  logNorm: LowestLevel | null;
}

/** The lowest levels, after these last losses and gradient norms. */
export const lowestLevels = (
  before: LowestLevels,
  losses: readonly number[],
  norms: readonly number[],
): LowestLevels => ({
  loss: lowestLevel(before.loss, losses, lossFloor(losses)),
  logNorm: lowestLevel(before.logNorm, logarithms(norms), LOG_NORM_FLOOR),
});

/** Where a mean of some steps was at its lowest, and where it is now. */
export interface Rise {
  from: number;
  to: number;
}

/**
 * The rise of the level of a series from its lowest one, if it is larger than that many deviations of the difference of two
 * means. The deviation is that from before the rise, as in a control chart (Shewhart 1931): measured over the rise as well, it
 * grows with the rise and hides it.
 */
function significantRise(lowest: LowestLevel | null, values: readonly number[], threshold: number) {
  const level = levelOf(values);
  if (lowest === null || level === null) return undefined;
  const limit = lowest.level + threshold * lowest.deviation * Math.sqrt(2 / LEVEL_STEPS);
  return level > limit ? { from: lowest.level, to: level } : undefined;
}

/**
 * Whether the last losses and gradient norms show a divergence: the level of the losses is above its lowest one by a fraction,
 * and the rise of the losses or of the norms is significant. A collapse often follows a rise of the gradient norms (GLM-130B,
 * arXiv 2210.02414, section 3), whose noise is small compared with it.
 */
export function divergenceOf(
  {
    losses,
    norms,
    lowest,
  }: { losses: readonly number[]; norms: readonly number[]; lowest: LowestLevels },
  { threshold, rise }: { threshold: number; rise: number },
): { loss: Rise; norm: Rise | undefined } | undefined {
  const level = levelOf(losses);
  if (lowest.loss === null || level === null || level <= (1 + rise) * lowest.loss.level) {
    return undefined;
  }
  const loss = { from: lowest.loss.level, to: level };
  if (significantRise(lowest.loss, losses, threshold) !== undefined)
    return { loss, norm: undefined };
  const logNorm = significantRise(lowest.logNorm, logarithms(norms), threshold);
  if (logNorm === undefined) return undefined;
  return { loss, norm: { from: Math.exp(logNorm.from), to: Math.exp(logNorm.to) } };
}
