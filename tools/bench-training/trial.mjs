// Every trial of a benchmark runs in a separate process, because peak memory is counted from the start of a process, and so
// that an earlier trial does not affect a later one.
import { spawn } from 'node:child_process';

/**
 * Runs in the process of the trial: prints the result of `measure` for the JSON on the command line, or its error, as
 * JSON.
 */
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

/** Runs a script that calls printTrial(). Resolves to its result, or to an `error`. */
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
