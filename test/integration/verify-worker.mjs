/**
 * Verifies a program in C++ as another process: node verify-worker.mjs '{ code, expected, limits, user }'. With `user` it
 * gives up root first. Prints the verdict, or the error, as JSON.
 */
import { createVerifier } from '../../dist/index.js';

const { code, expected, limits, user } = JSON.parse(process.argv[2]);
if (user !== undefined) {
  process.setgroups([]);
  process.setgid(user);
  process.setuid(user);
}
try {
  const verifier = await createVerifier({ type: 'run', language: 'cpp', limits });
  console.log(JSON.stringify(await verifier.verify(code, { index: 0, prompt: '', expected })));
} catch ({ code: errorCode, message }) {
  console.log(JSON.stringify({ code: errorCode, message }));
}
