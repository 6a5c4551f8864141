/** Sums of an exponential moving average; both have the same weights, so that their ratio is not biased by the start. */
export interface NoiseAverage {
  /** Of estimates of |G|², the squared norm of the true gradient. */
  squaredGradient: number;
  /** Of estimates of tr(Σ), the variance of the gradient of one sample. */
  variance: number;
  count: number;
}

export const NO_NOISE: NoiseAverage = { squaredGradient: 0, variance: 0, count: 0 };

/**
 * Unbiased estimates of |G|² and tr(Σ) from the gradient norms of two batch sizes (McCandlish et al. 2018, arXiv 1812.06162,
 * appendix A.1):
 *
 * - |G|² = (B_big |G_big|² - B_small |G_small|²) / (B_big - B_small)
 * - tr(Σ) = (|G_small|² - |G_big|²) / (1 / B_small - 1 / B_big)
 *
 * One pair is very noisy, and |G|² may be negative: average both before dividing.
 */
export function noiseEstimates(
  small: { norm: number; samples: number },
  big: { norm: number; samples: number },
): { squaredGradient: number; variance: number } {
  const [a, b] = [small.norm ** 2, big.norm ** 2];
  return {
    squaredGradient: (big.samples * b - small.samples * a) / (big.samples - small.samples),
    variance: (a - b) / (1 / small.samples - 1 / big.samples),
  };
}

/** Adds estimates to the average; `decay` is the weight of what was there. */
export function addNoise(
  average: NoiseAverage,
  { squaredGradient, variance }: ReturnType<typeof noiseEstimates>,
  decay = 0.95,
): NoiseAverage {
  return {
    squaredGradient: decay * average.squaredGradient + (1 - decay) * squaredGradient,
    variance: decay * average.variance + (1 - decay) * variance,
    count: average.count + 1,
  };
}

/**
 * The simple noise scale tr(Σ) / |G|² in samples (arXiv 1812.06162, equation 2.9): batches that are much smaller waste
 * steps, and larger ones waste samples. Null if the averages give no positive number.
 */
export function noiseScale({ squaredGradient, variance }: NoiseAverage): number | null {
  return squaredGradient > 0 && variance > 0 ? variance / squaredGradient : null;
}
