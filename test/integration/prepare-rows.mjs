// Trains one step on a dataset of many rows; prints the peak of the resident memory in bytes.
// node prepare-rows.mjs MODEL OUTPUT ROWS
import { finetune } from '../../dist/index.js';

const [model, output, rows] = process.argv.slice(2);

function* dataset() {
  const tokens = [1, 2, 3, 4, 5, 6];
  for (let row = 0; row < Number(rows); row++) yield { tokens };
}

await finetune({
  ...{ model, dataset: dataset(), output, maxSteps: 1, batchSize: 4, sequenceLength: 32 },
  ...{ threads: 1, modelCard: false, runLog: false },
}).result;
console.log(process.resourceUsage().maxRSS * 1024);
