// One trial of a benchmark is one process: the most memory that a process held counts from its start, and nothing that an
// earlier trial left behind changes a later one.
import { spawn } from 'node:child_process';

/** In the trial's process: prints what `measure` returns for the JSON of the command line, or its error, as one line. */
export async function printTrial(measure) {
  try {
    console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]))));
  } catch (error) {
    console.log(
      JSON.stringify({ error: { code: error.code ?? 'FAILED', message: error.message } }),
    );
    process.exitCode = 1;
  }
}

/** Runs a script that calls printTrial(). Resolves to what it printed, with an `error` if it failed. */
export function runTrial(script, spec, environment = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, JSON.stringify(spec)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (data) => {
      output += data;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const last = output.trim().split('\n').at(-1);
      const result = last.startsWith('{') ? JSON.parse(last) : {};
      if (code === 0 || result.error) return resolve(result);
      const message = `the process ended with ${signal ?? code}`;
      resolve({ error: { code: 'ENDED', message } });
    });
  });
}
