import { LlamatuneError } from '../errors.js';
import { seededRandom } from '../random.js';

/**
 * Chooses the samples that are held out for validation: `round(count * fraction)` of them, at least one on each side. The
 * same seed and count give the same choice.
 *
 * @returns 1 for a validation sample, 0 for a training sample.
 * @throws LlamatuneError DATASET_TOO_SMALL with fewer than two samples.
 */
export function splitSamples(count: number, fraction: number, seed: number): Uint8Array {
  if (count < 2) {
    throw new LlamatuneError(
      'DATASET_TOO_SMALL',
      `validation.split needs at least 2 samples, but the dataset has ${count}`,
      { hint: 'add samples, or train without validation' },
    );
  }
  const chosen = Math.min(Math.max(Math.round(count * fraction), 1), count - 1);
  const random = seededRandom(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const isValidation = new Uint8Array(count);
  // The first `chosen` steps of a Fisher-Yates shuffle.
  for (let i = 0; i < chosen; i++) {
    const j = i + Math.floor(random() * (count - i));
    [order[i], order[j]] = [order[j]!, order[i]!];
    isValidation[order[i]!] = 1;
  }
  return isValidation;
}
