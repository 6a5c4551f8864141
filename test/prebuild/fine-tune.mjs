// One short training run with the addon that LLAMATUNE_PREBUILD names; prints the losses, the library that
// multiplies matrices, and the libraries in use.
import fs from 'node:fs';
import path from 'node:path';
import { finetuneLora, systemInfo } from '../../dist/index.js';

const [model, folder] = process.argv.slice(2);
const rows = Array.from({ length: 8 }, (_, i) => ({
  tokens: Array.from({ length: 24 }, (_, k) => ((i * 7 + k * 3) % 100) + 5),
  mask: new Array(24).fill(1),
}));

const run = finetuneLora({
  model,
  dataset: rows,
  output: path.join(folder, 'adapter.gguf'),
  lora: { rank: 4, alpha: 8 },
  epochs: 4,
  sequenceLength: 32,
  batchSize: 4,
  microBatchSize: 2,
  optimizer: { learningRate: 1e-2 },
});
const losses = [];
for await (const event of run) if (event.type === 'step') losses.push(event.loss);
await run.result;

const libraries =
  process.platform === 'linux'
    ? fs
        .readFileSync('/proc/self/maps', 'utf8')
        .match(/\/\S*(?:ggml|llamatune|dnnl|OpenCL|gomp)\S*\.(?:so|node)[.\d]*/g)
    : [];
const accelerator = systemInfo().cpuAccelerator?.description ?? null;
console.log(JSON.stringify({ losses, accelerator, libraries: [...new Set(libraries)] }));
