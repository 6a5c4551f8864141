// Runs in a worker thread of worker.test.ts, on the built package.
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { bench, finetuneLora, generate, loadModel } from '../../dist/index.js';

const { path, folder, task, output } = workerData;
const dataset = [{ prompt: 'Colour?', completion: ' red' }];
const short = { threads: 1, batchSize: 1, sequenceLength: 16, dataset };

const tasks = {
  async everything() {
    const model = await loadModel(path);
    const run = finetuneLora({ ...short, model, output, epochs: 3 });
    let steps = 0;
    for await (const event of run) if (event.type === 'step') steps += 1;
    const answer = await generate({
      model,
      prompt: 'Colour?',
      adapters: output,
      maxTokens: 4,
      threads: 1,
      ignoreEos: true,
    }).result;
    const measured = await bench({
      model,
      promptTokens: 8,
      generatedTokens: 0,
      repetitions: 1,
      threads: 1,
      training: { steps: 0 },
    }).result;
    await model.dispose();
    const refused = await loadModel('no-such.gguf').catch(({ code }) => code);
    return {
      steps,
      generated: answer.generatedTokens,
      measured: measured.prompt.samples.length,
      refused,
    };
  },

  /** Sends a message after three steps, and never ends by itself. */
  async endless() {
    const runs = [
      finetuneLora({
        ...short,
        model: path,
        output: join(folder, 'never.gguf'),
        epochs: 1_000_000,
      }),
      generate({ model: path, prompt: 'a', maxTokens: 250, threads: 1, ignoreEos: true }),
    ];
    const iterators = runs.map((run) => run[Symbol.asyncIterator]());
    await Promise.all(iterators.map((iterator) => iterator.next()));
    for await (const event of runs[0]) {
      if (event.type === 'step' && event.step === 3) parentPort.postMessage('started');
    }
  },
};

parentPort.postMessage(await tasks[task]());
