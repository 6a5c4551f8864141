// Trains and fills the disk of the output after the first step; prints the error of the run as JSON.
// node fill-disk.mjs MODEL OUTPUT
import { closeSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { finetuneLora } from '../../dist/index.js';

const [model, output] = process.argv.slice(2);
const dataset = [1, 2, 3, 4].map((n) => ({ prompt: `Number ${n}?`, completion: ' one more' }));

function fill(folder) {
  const file = openSync(join(folder, 'filler'), 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

try {
  const run = finetuneLora({ model, dataset, output, epochs: 50, sequenceLength: 64, threads: 1 });
  let filled = false;
  for await (const event of run) {
    if (event.type === 'step' && !filled) fill(dirname(output));
    filled ||= event.type === 'step';
  }
  await run.result;
} catch ({ code, message, hint }) {
  console.log(JSON.stringify({ code, message, hint }));
}
