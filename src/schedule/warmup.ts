import { LlamatuneError } from '../errors.js';

/** Length of the warm-up: a number of steps, a fraction of all steps, or none. */
export interface WarmupOptions {
  warmupSteps?: number | undefined;
  warmupRatio?: number | undefined;
}

/**
 * Number of warm-up steps in a run of `totalSteps`. A ratio is rounded up, as in transformers, but at least one step
 * keeps the peak learning rate.
 *
 * @throws LlamatuneError CONFIG_INVALID when warmupSteps leaves no step after the warm-up.
 */
export function resolveWarmupSteps(warmup: WarmupOptions, totalSteps: number): number {
  if (warmup.warmupRatio !== undefined) {
    return Math.max(0, Math.min(Math.ceil(warmup.warmupRatio * totalSteps), totalSteps - 1));
  }
  const steps = warmup.warmupSteps ?? 0;
  if (steps >= totalSteps && steps > 0) {
    const message = `expected less than the run's ${totalSteps} steps but received ${steps}`;
    throw new LlamatuneError(
      'CONFIG_INVALID',
      `invalid options: scheduler.warmupSteps: ${message}`,
      {
        hint: 'use fewer warm-up steps, warmupRatio, or more epochs',
        problems: [{ path: 'scheduler.warmupSteps', message }],
      },
    );
  }
  return steps;
}
