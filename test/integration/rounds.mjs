// Repeatedly trains and disposes in one process; prints resident memory and threads after each round.
// node --expose-gc rounds.mjs MODEL FOLDER ROUNDS
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { finetuneLora, generate, loadModel } from '../../dist/index.js';

const [path, folder, rounds] = process.argv.slice(2);
const output = join(folder, 'rounds.gguf');
const dataset = [1, 2, 3, 4].map((n) => ({ prompt: `Number ${n}?`, completion: ' one more' }));
const threads = () => (process.platform === 'linux' ? readdirSync('/proc/self/task').length : null);

for (let round = 0; round < Number(rounds); round++) {
  const model = await loadModel(path);
  const options = {
    model,
    dataset,
    output,
    batchSize: 4,
    microBatchSize: 4,
    sequenceLength: 128,
    threads: 1,
  };
  await finetuneLora({ ...options, epochs: 2 }).result;
  const aborted = finetuneLora({ ...options, epochs: 1000 });
  const stopAtFirstStep = async () => {
    for await (const event of aborted) if (event.type === 'step') aborted.abort();
  };
  await stopAtFirstStep().catch(() => {});
  await generate({ model, prompt: 'Number', adapters: output, maxTokens: 4, threads: 1 }).result;
  await model.dispose();
  await setTimeout(20);
  global.gc();
  console.log(JSON.stringify({ rss: process.memoryUsage().rss, threads: threads() }));
}
