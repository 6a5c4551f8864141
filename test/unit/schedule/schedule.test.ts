import { describe, expect, it } from 'vitest';
import { buildSchedule, type ScheduleOptions } from '../../../src/schedule/schedule.js';
import { resolveWarmupSteps } from '../../../src/schedule/warmup.js';

const build = (options: Partial<ScheduleOptions>) => [
  ...buildSchedule({
    type: 'cosine',
    learningRate: 1,
    minLearningRate: 0,
    warmupSteps: 0,
    totalSteps: 10,
    ...options,
  }),
];
const types = ['constant', 'linear', 'cosine'] as const;

describe('buildSchedule', () => {
  it('constant: the peak after the warm-up', () => {
    expect(build({ type: 'constant', warmupSteps: 4, totalSteps: 6 })).toEqual([
      0.25, 0.5, 0.75, 1, 1, 1,
    ]);
  });

  it('linear: a straight line that would reach the minimum at the step after the last', () => {
    expect(build({ type: 'linear', totalSteps: 4 })).toEqual([1, 0.75, 0.5, 0.25]);
    expect(build({ type: 'linear', totalSteps: 4, minLearningRate: 0.5 })).toEqual([
      1, 0.875, 0.75, 0.625,
    ]);
  });

  it('cosine: half a period, at the midpoint after half of the steps', () => {
    const rates = build({ totalSteps: 8, minLearningRate: 0.25 });
    const closed = rates.map((_, t) => 0.25 + (0.75 * (1 + Math.cos((Math.PI * t) / 8))) / 2);
    rates.forEach((rate, t) => {
      expect(rate).toBeCloseTo(closed[t]!, 6);
    });
    expect(rates[0]).toBe(1);
    expect(rates[4]).toBeCloseTo(0.625, 6);
  });

  it('cosine after a warm-up starts at the peak', () => {
    const rates = build({ warmupSteps: 2, totalSteps: 6 });
    expect(rates.slice(0, 3)).toEqual([0.5, 1, 1]);
    expect(rates[4]).toBeCloseTo(0.5, 6);
  });

  it('starts at the peak without a warm-up', () => {
    for (const type of types) expect(build({ type })[0]).toBe(1);
  });

  it('works with one step and with none', () => {
    for (const type of types) {
      expect(build({ type, totalSteps: 1 })).toEqual([1]);
      expect(build({ type, totalSteps: 1, warmupSteps: 1 })).toEqual([1]);
      expect(build({ type, totalSteps: 0 })).toEqual([]);
    }
  });

  it('only rises if the warm-up covers all steps', () => {
    for (const type of types) {
      expect(build({ type, totalSteps: 4, warmupSteps: 4 })).toEqual([0.25, 0.5, 0.75, 1]);
    }
  });

  it('stays within its bounds, and never rises after the peak', () => {
    for (const type of types) {
      for (let totalSteps = 1; totalSteps < 40; totalSteps += 3) {
        for (let warmupSteps = 0; warmupSteps <= totalSteps; warmupSteps += 2) {
          const rates = build({ type, totalSteps, warmupSteps, minLearningRate: 0.125 });
          expect(rates).toHaveLength(totalSteps);
          rates.forEach((rate, t) => {
            expect(rate).toBeGreaterThan(0);
            expect(rate).toBeLessThanOrEqual(1);
            if (t > 0 && t < warmupSteps) expect(rate).toBeGreaterThan(rates[t - 1]!);
            if (t > warmupSteps) expect(rate).toBeLessThanOrEqual(rates[t - 1]!);
            if (t >= warmupSteps) expect(rate).toBeGreaterThanOrEqual(0.125);
          });
        }
      }
    }
  });

  it('is an array of one 32-bit float per step', () => {
    const rates = buildSchedule({
      type: 'constant',
      learningRate: 1e-4,
      minLearningRate: 0,
      warmupSteps: 0,
      totalSteps: 3,
    });
    expect(rates).toBeInstanceOf(Float32Array);
    expect([...rates]).toEqual([Math.fround(1e-4), Math.fround(1e-4), Math.fround(1e-4)]);
  });
});

describe('resolveWarmupSteps', () => {
  it('accepts steps, a fraction of all steps, or neither', () => {
    expect(resolveWarmupSteps({ warmupSteps: 3 }, 10)).toBe(3);
    expect(resolveWarmupSteps({ warmupRatio: 0.1 }, 10)).toBe(1);
    expect(resolveWarmupSteps({ warmupRatio: 0.11 }, 10)).toBe(2);
    expect(resolveWarmupSteps({}, 10)).toBe(0);
    expect(resolveWarmupSteps({ warmupSteps: 0 }, 0)).toBe(0);
  });

  it('a ratio leaves at least one step', () => {
    expect(resolveWarmupSteps({ warmupRatio: 0.99 }, 3)).toBe(2);
    expect(resolveWarmupSteps({ warmupRatio: 0.99 }, 1)).toBe(0);
  });

  it('a warm-up of all steps is a problem of the configuration', () => {
    expect(() => resolveWarmupSteps({ warmupSteps: 10 }, 10)).toThrowError(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        problems: [
          {
            path: 'scheduler.warmupSteps',
            message: "expected less than the run's 10 steps but received 10",
          },
        ],
      }),
    );
  });
});
