import { spawn } from 'node:child_process';
import { BuildError } from '../../scripts/tools.mjs';

/** Runs a command with a request as its last argument, and resolves to the JSON of its last line. */
export function runScript([command, ...args], request) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args, JSON.stringify(request)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text.trim().split('\n').at(-1)));
      else reject(new BuildError(`${[command, ...args].join(' ')} ended with code ${code}`));
    });
  });
}
