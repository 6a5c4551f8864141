// Trains with checkpoints on a small disk, and loses the disk in a pause after the second one. Then repairs the disk, and
// resumes. Prints what happened as JSON. It runs where the disk is mounted (test/small-disk.ts).
// node lose-disk.mjs MODEL DISK ELSEWHERE full|read-only|removed
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { finetuneLora } from '../../dist/index.js';

const [model, disk, elsewhere, how] = process.argv.slice(2);
const dataset = [1, 2, 3, 4].map((n) => ({ prompt: `Number ${n}?`, completion: ' one more' }));
const folder = join(disk, 'run');
const filler = join(disk, 'filler');

function fill() {
  const file = openSync(filler, 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

/** Mounts the folder over itself: a disk with open files, such as the lock of the run, cannot become read-only. */
function makeReadOnly() {
  execFileSync('mount', ['--bind', folder, folder]);
  execFileSync('mount', ['-o', 'remount,ro,bind', folder]);
}

const lose = {
  full: fill,
  'read-only': makeReadOnly,
  removed: () => rmSync(folder, { recursive: true }),
}[how];
const repair = {
  full: () => rmSync(filler),
  'read-only': () => execFileSync('umount', [folder]),
  removed: () => {},
}[how];

const checkpoint = { directory: join(folder, 'checkpoints'), everySteps: 1, keepLast: 2 };
const options = (output, more) => ({
  ...{ model, dataset, output, epochs: 60, batchSize: 4, sequenceLength: 64, threads: 1 },
  ...more,
});

await finetuneLora(options(join(elsewhere, 'whole.gguf'))).result;
const whole = readFileSync(join(elsewhere, 'whole.gguf'));

mkdirSync(folder);
const output = join(folder, 'adapter.gguf');
writeFileSync(output, 'an older adapter');
const report = { warnings: [], code: 'none', lastCheckpoint: 0 };
try {
  const run = finetuneLora(options(output, { checkpoint }));
  for await (const event of run) {
    if (event.type === 'warning') report.warnings.push(event.code);
    if (event.type === 'checkpoint') report.lastCheckpoint = event.step;
    if (event.type === 'checkpoint' && event.step === 2) run.pause();
    if (event.type !== 'pause') continue;
    // In a pause no file is open for writing: such a file would keep the disk writable, or leave space when it is removed.
    lose();
    run.continue();
  }
} catch (error) {
  report.code = error.code;
  const [, saved] = /saved to '(.*)'/.exec(error.message) ?? [];
  report.savedElsewhere = saved !== undefined && readFileSync(saved).equals(whole);
}
const left = readFileSync(output);
report.output = left.equals(whole) ? 'new' : left.toString('utf8', 0, 20);

repair();
const last = join(elsewhere, 'resumed.gguf');
const resumed = finetuneLora(options(last, { checkpoint: { ...checkpoint, resume: 'latest' } }));
for await (const event of resumed) if (event.type === 'resume') report.resumedFrom = event.step;
report.resumedEqually = readFileSync(last).equals(whole);
console.log(JSON.stringify(report));
