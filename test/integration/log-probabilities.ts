import { join } from 'node:path';
import { finetuneLora } from '../../src/index.js';

/**
 * The log-probability of every token after `tokens`, as a run sees them: one step per token, with a learning rate at which
 * no weight changes.
 */
export async function logProbabilities(
  model: string,
  adapter: string | undefined,
  tokens: readonly number[],
  folder: string,
  vocabulary = 64,
): Promise<number[]> {
  const { losses } = await finetuneLora({
    model,
    dataset: Array.from({ length: vocabulary }, (_, token) => ({
      tokens: [...tokens, token],
      mask: [...tokens.map(() => 0 as const), 1 as const],
    })),
    output: join(folder, 'unused.gguf'),
    ...(adapter === undefined ? {} : { lora: { initAdapter: adapter } }),
    sequenceLength: tokens.length + 1,
    batchSize: 1,
    epochs: 1,
    shuffle: false,
    precision: 'f32',
    modelCard: false,
    optimizer: { learningRate: 1e-30, weightDecay: 0 },
    scheduler: { type: 'constant', warmupSteps: 0 },
    device: 'cpu',
  }).result;
  return Array.from(losses, (loss) => -loss);
}
