#!/usr/bin/env node
import { runCli } from './cli.js';
import { exitCode } from './failure.js';

const controller = new AbortController();

// The first interrupt ends the run cleanly, within one step; a second one does not wait.
process.on('SIGINT', () => {
  if (controller.signal.aborted) {
    // The progress bar had hidden the cursor.
    if (process.stdout.isTTY) process.stdout.write('\u001b[?25h');
    process.exit(exitCode.interrupted);
  }
  controller.abort();
});

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCode.ok);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: controller.signal,
});
