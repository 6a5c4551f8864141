#!/usr/bin/env node
import { runCli } from './cli.js';
import { exitCode } from './failure.js';
import { endOnSignals, flushed, watchOutput } from './process.js';

const signal = endOnSignals();
const output = watchOutput(process.stdout);
const errors = watchOutput(process.stderr);

const code = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal,
  outputClosed: output.closed,
});
// A failed write is reported after the write itself.
await Promise.all([process.stdout, process.stderr].map(flushed));
const lost = output.failure() ?? errors.failure();
if (lost !== undefined) process.stderr.write(`error OUTPUT_NOT_WRITABLE: ${lost}\n`);
process.exitCode = code === exitCode.ok && lost !== undefined ? exitCode.failed : code;
