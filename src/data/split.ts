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
  return choose(count, Math.min(Math.max(Math.round(count * fraction), 1), count - 1), seed);
}

/** `chosen` of `count` samples: 1 for each of them, 0 for the others. The same seed gives the same choice. */
export function choose(count: number, chosen: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const isChosen = new Uint8Array(count);
  // The first `chosen` steps of a Fisher-Yates shuffle.
  for (let i = 0; i < chosen; i++) {
    const j = i + Math.floor(random() * (count - i));
    [order[i], order[j]] = [order[j]!, order[i]!];
    isChosen[order[i]!] = 1;
  }
  return isChosen;
}

/**
 * How often each of `count` samples of a file with this weight is used in an epoch: the whole part of the weight, and once
 * more for a share of them that is its fraction, chosen by seed.
 */
export function copiesOf(count: number, weight: number, seed: number): (sample: number) => number {
  const whole = Math.floor(weight);
  const more = Math.round((weight - whole) * count);
  if (more === 0) return () => whole;
  const once = choose(count, more, seed);
  return (sample) => whole + once[sample]!;
}
