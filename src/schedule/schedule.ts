/**
 * Decay after the warm-up: maps `progress` (0 to 1) to the remaining fraction (1 to 0) of the distance between peak and
 * minimum learning rate; null: the learning rate stays at the peak. To add a schedule, add a row.
 */
const DECAYS = {
  /** Half a cosine period without restarts (arXiv 1608.03983, eq. 5). */
  cosine: (progress: number) => (1 + Math.cos(Math.PI * progress)) / 2,
  /** Falls linearly from the peak to the minimum. */
  linear: (progress: number) => 1 - progress,
  constant: null,
} as const satisfies Record<string, ((progress: number) => number) | null>;

export type ScheduleType = keyof typeof DECAYS;

/** The names of all schedules. */
export const SCHEDULE_TYPES = Object.keys(DECAYS) as [ScheduleType, ...ScheduleType[]];

/** Whether the learning rate decays after the warm-up, so that minLearningRate has an effect. */
export const hasDecay = (type: ScheduleType): boolean => DECAYS[type] !== null;

export interface ScheduleOptions {
  type: ScheduleType;
  /** Peak learning rate. */
  learningRate: number;
  /** Learning rate at the end of the decay; undefined without decay. */
  minLearningRate?: number | undefined;
  /** Steps of linear warm-up, 0 to totalSteps. */
  warmupSteps: number;
  totalSteps: number;
}

/**
 * Learning rate of each optimizer step of a run, step t = 0 … T - 1, W of them warm-up:
 *
 * - t < W: η_max · (t + 1) / W, so that no step is wasted on a rate of 0 and step W - 1 has the peak.
 * - else: η_min + (η_max - η_min) · decay((t - W) / (T - W)), with decay(p) = 1 (constant),
 *   1 - p (linear), (1 + cos(π·p)) / 2 (cosine, arXiv 1608.03983).
 *
 * As in torch and transformers the first step after the warm-up has the peak, and the minimum is
 * what step T would have.
 */
export function buildSchedule(options: ScheduleOptions): Float32Array {
  const { learningRate: peak, minLearningRate: minimum = 0, warmupSteps, totalSteps } = options;
  const decay: (progress: number) => number = DECAYS[options.type] ?? (() => 1);
  return Float32Array.from({ length: totalSteps }, (_, step) => {
    if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
    return minimum + (peak - minimum) * decay((step - warmupSteps) / (totalSteps - warmupSteps));
  });
}
