import { describe, expect, it } from 'vitest';
import {
  addNoise,
  NO_NOISE,
  noiseEstimates,
  noiseScale,
} from '../../../src/adaptive/noise-scale.js';
import { seededRandom } from '../../../src/random.js';

describe('the gradient noise scale', () => {
  it('gives back the numbers that the norms were made of', () => {
    // E|G_B|² = |G|² + tr(Σ) / B, here without any noise of the estimate
    const [squaredGradient, variance] = [9, 60];
    const norm = (samples: number) => Math.sqrt(squaredGradient + variance / samples);
    const estimates = noiseEstimates({ norm: norm(2), samples: 2 }, { norm: norm(8), samples: 8 });
    expect(estimates.squaredGradient).toBeCloseTo(9, 9);
    expect(estimates.variance).toBeCloseTo(60, 9);
    expect(noiseScale(addNoise(NO_NOISE, estimates))).toBeCloseTo(60 / 9, 9);
  });

  it('is estimated from random gradients of a known distribution', () => {
    const random = seededRandom(5);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const [dimensions, mean, deviation] = [200, 0.1, 1]; // |G|² = 2, tr(Σ) = 200
    let average = NO_NOISE;
    for (let step = 0; step < 400; step++) {
      const samples = Array.from({ length: 16 }, () =>
        Array.from({ length: dimensions }, () => mean + deviation * normal()),
      );
      const normOf = (batch: number[][]) =>
        Math.hypot(
          ...Array.from(
            { length: dimensions },
            (_, d) => batch.reduce((sum, g) => sum + g[d]!, 0) / batch.length,
          ),
        );
      const small = { norm: normOf(samples.slice(0, 4)), samples: 4 };
      const estimates = noiseEstimates(small, { norm: normOf(samples), samples: 16 });
      average = addNoise(average, estimates, 0.99);
    }
    expect(noiseScale(average)).toBeGreaterThan(80);
    expect(noiseScale(average)).toBeLessThan(125);
  });

  it('is unknown while the averages are not positive', () => {
    expect(noiseScale(NO_NOISE)).toBe(null);
    expect(noiseScale({ squaredGradient: -1, variance: 5, count: 3 })).toBe(null);
  });
});
