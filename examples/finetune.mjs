// Fine-tunes a model on a JSONL file and draws the loss curve next to the adapter.
//
//   node examples/finetune.mjs base.gguf train.jsonl adapter.gguf [steps]

import { writeFile } from 'node:fs/promises';
import { finetune, renderLossCurve } from 'llamatune';

const [model, dataset, output, steps] = process.argv.slice(2);
if (!output) {
  console.error(
    'Usage: node examples/finetune.mjs <base.gguf> <train.jsonl> <adapter.gguf> [steps]',
  );
  process.exit(2);
}

// Ctrl-C ends the run cleanly: within one step, and without a half-written adapter.
const controller = new AbortController();
process.once('SIGINT', () => controller.abort());

const run = finetune({
  model,
  dataset,
  output,
  epochs: 3,
  sequenceLength: 256,
  batchSize: 4,
  lora: { rank: 8, alpha: 16 },
  optimizer: { learningRate: 2e-4 },
  scheduler: { type: 'cosine', warmupRatio: 0.1 },
  validation: { split: 0.05, everySteps: 20 },
  ...(steps === undefined ? {} : { maxSteps: Number(steps) }),
  signal: controller.signal,
});

const history = [];
for await (const event of run) {
  history.push(event);
  switch (event.type) {
    case 'step':
      console.log(`step ${event.step}/${event.totalSteps}: loss ${event.loss?.toFixed(4)}`);
      break;
    case 'evaluation':
      console.log(`validation loss ${event.loss?.toFixed(4)}`);
      break;
    case 'warning':
      console.warn(`${event.code}: ${event.message}`);
      break;
  }
}

const { finalLoss, seconds, tokensPerSecond } = await run.result;
await writeFile(`${output}.svg`, renderLossCurve(history));
console.log(
  `final loss ${finalLoss.toFixed(4)}, ${seconds.toFixed(1)} s, ${tokensPerSecond?.toFixed(0)} tokens/s`,
);
console.log(`wrote ${output} and ${output}.svg`);
