import { expect, it } from 'vitest';
import { runNode } from './command-line.js';

// npm run fuzz runs 20,000 cases; the seed makes these other ones.
it('1,000 mutated inputs end with a result or an error of ours', async () => {
  const { exit, stdout, stderr } = await runNode([
    ...['tools/fuzz/main.mjs', '--cases', '1000', '--seed', '1000'],
  ]);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/\n0 failed\n$/);
  expect(exit).toBe(0);
  for (const kind of ['rows', 'files', 'templates', 'configs', 'adapters', 'peft', 'models']) {
    // some inputs are still good, so that what comes after the checks is fuzzed too
    expect(stdout).toMatch(new RegExp(`^${kind}: 143 cases .*\\n.*\\bok [1-9]`, 'm'));
  }
});
