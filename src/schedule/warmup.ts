import { LlamatuneError } from '../errors.js';

/** How long the warm-up is, as the scheduler options say it: steps, a part of all steps, or none. */
export interface WarmupOptions {
  warmupSteps?: number | undefined;
  warmupRatio?: number | undefined;
}

/**
 * Optimizer steps of warm-up in a run of `totalSteps`. A ratio is rounded up (as the field does),
 * but never so far that no step is left at the full rate.
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
