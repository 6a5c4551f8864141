import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/native-build.mjs';

const demo = (name) => path.join(root, 'examples', 'demo', 'data', `${name}.jsonl`);

/** The demo of this repository, with the options of examples/demo/demo.mjs; undefined steps: its epochs. */
export const demoTask = ({ steps }) => ({
  name: 'demo',
  model: path.join(root, 'models', 'tiny-chat-q8_0.gguf'),
  train: demo('train'),
  validation: demo('validation'),
  options: {
    ...(steps === undefined ? { epochs: 10 } : { maxSteps: steps }),
    sequenceLength: 128,
    batchSize: 8,
    microBatchTokens: 256,
    lora: { rank: 16, alpha: 32 },
    optimizer: { learningRate: 4e-3 },
    scheduler: { type: 'cosine', warmupRatio: 0.1 },
    loss: 'assistant',
    validation: { everySteps: 10 },
  },
});

/** A task of other rows. */
export const rowsTask = ({ model, train, validation, steps = 40, batchSize, learningRate }) => ({
  name: path.basename(path.dirname(path.resolve(train))),
  model,
  train: rowsOf(train),
  validation: rowsOf(validation),
  options: {
    maxSteps: steps,
    sequenceLength: 512,
    batchSize,
    microBatchTokens: 512,
    lora: { rank: 8, alpha: 16 },
    optimizer: { learningRate },
    scheduler: { type: 'cosine', warmupRatio: 0.1 },
    loss: 'assistant',
    validation: { everySteps: 8 },
  },
});

/** Rows of a JSON Lines file. A text "Q: … A: …" becomes a conversation; other rows stay as they are. */
export function rowsOf(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.trim() !== '').map((line) => chatRow(JSON.parse(line)));
}

export function chatRow(row) {
  const found = /^Q: ([\s\S]*?)\nA: ([\s\S]*)$/.exec(row.text ?? '');
  if (found === null) return row;
  return {
    messages: [
      { role: 'user', content: found[1] },
      { role: 'assistant', content: found[2] },
    ],
  };
}
