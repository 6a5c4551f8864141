// Runs cases of one kind in a process of its own, and reports each to its parent before it starts: if the process dies or
// hangs, the parent knows the case.

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LlamatuneError } from '../../dist/index.js';
import { KINDS, makeContext } from './kinds.mjs';
import { Choices } from './mutate.mjs';

const { kind, seed, first, end } = JSON.parse(process.argv[2]);
const { make, run } = KINDS[kind];
const folder = fs.mkdtempSync(path.join(tmpdir(), 'llamatune-fuzz-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
process.on('disconnect', () => process.exit());

/** A case needs no state of another one. */
const caseSeed = (index) => (seed * 1_000_003 + index) * 7 + kind.length;

/** Bytes in use after garbage collection. */
function usedBytes() {
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

const send = (message) => new Promise((resolve) => process.send(message, resolve));

const context = await makeContext(folder, kind);
/** Of the case before. */
let previous;
/** Errors without a code of ours, or without a message. */
const problems = [];
const warmUp = first + Math.ceil((end - first) / 4);
let before;
for (let index = first; index < end; index++) {
  if (index === warmUp) before = usedBytes();
  await send({ index, outcome: previous });
  const input = make(new Choices(caseSeed(index)), context);
  let outcome = 'ok';
  try {
    outcome = (await run(input, context)) ?? 'ok';
  } catch (error) {
    outcome = error instanceof LlamatuneError ? error.code : 'UNTYPED';
    const isPlain = typeof error?.message === 'string' && error.message !== '';
    if (outcome === 'UNTYPED' || !isPlain) {
      problems.push({ index, message: String(error?.stack ?? error).slice(0, 1500) });
    }
  }
  previous = outcome;
}
const grown = before === undefined ? 0 : usedBytes() - before;
await send({ done: true, outcome: previous, problems, grown });
process.disconnect();
