// Runs one training and prints its memory, estimated and measured, as JSON.
import { train } from '../bench-training/measure.mjs';
import { printTrial } from '../bench-training/trial.mjs';

async function measure(spec) {
  const { estimatedMemoryBytes, peakMemoryBytes } = await train(spec);
  return { estimatedMemoryBytes, peakMemoryBytes, ratio: estimatedMemoryBytes / peakMemoryBytes };
}

await printTrial(measure);
