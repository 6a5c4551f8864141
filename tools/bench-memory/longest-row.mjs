// The longest row that can be trained with some memory, from the estimate.
import { estimateMemory, loadModel } from '../../dist/index.js';
import { benchModel } from '../bench-training/models.mjs';
import { shapes, targetsOf } from '../bench-training/shapes.mjs';

const step = 256; // tokens

/** Models whose rows are measured, with their weight types. */
export const rowModels = { 'qwen3-0.6b': 'Q8_0', 'qwen3-1.7b': 'Q8_0', 'llama3.1-8b': 'Q4_K_M' };

/**
 * The most tokens of a row, a multiple of 256, for each number of bytes, with gradient checkpointing and LoRA of rank 8 on
 * all linear layers; 0 if even the shortest row needs more.
 */
export async function longestRows(name, limits, modelsDirectory) {
  const file = await benchModel(name, rowModels[name], modelsDirectory);
  const model = await loadModel({ model: file });
  const known = new Map();
  const bytesOf = async (tokens) => {
    if (!known.has(tokens)) {
      const { totalBytes } = await estimateMemory({
        model,
        lora: { rank: 8, targets: targetsOf(shapes[name]) },
        batchSize: 1,
        microBatchTokens: tokens,
        sequenceLength: tokens,
        gradientCheckpointing: true,
        weightCache: false,
      });
      known.set(tokens, totalBytes);
    }
    return known.get(tokens);
  };
  const rows = [];
  for (const limit of limits) {
    let [fits, exceeds] = [0, Math.floor(shapes[name].contextLength / step) + 1];
    while (exceeds - fits > 1) {
      const middle = (fits + exceeds) >> 1;
      if ((await bytesOf(middle * step)) <= limit) fits = middle;
      else exceeds = middle;
    }
    rows.push(fits * step);
  }
  await model.dispose();
  return rows;
}
