import { beforeAll, describe, expect, it } from 'vitest';
import { CPP_PROMPTS } from '../../../src/raft/cpp-prompts.js';
import { createVerifier } from '../../../src/verify/create-verifier.js';
import type { Verifier } from '../../../src/verify/verifier.js';
import { canIsolate } from '../../toolchains.js';
import { SOLUTIONS } from './cpp-solutions.js';

describe('the built-in C++ prompts', () => {
  it('are sixteen different ones in five categories', () => {
    expect(CPP_PROMPTS).toHaveLength(16);
    expect(new Set(CPP_PROMPTS.map(({ prompt }) => prompt)).size).toBe(16);
    expect(new Set(CPP_PROMPTS.map(({ category }) => category)).size).toBe(5);
    expect(CPP_PROMPTS.map(({ name }) => name)).toEqual(Object.keys(SOLUTIONS));
  });
});

describe.skipIf(!canIsolate())('solutions of the built-in C++ prompts', () => {
  let verifier: Verifier;
  beforeAll(async () => {
    verifier = await createVerifier({ type: 'run', language: 'cpp' });
  });

  it.each(CPP_PROMPTS)('to $name pass if they are right and fail if not', async (row) => {
    const task = { index: 0, row, ...row };
    const [right, wrong] = SOLUTIONS[row.name]!;
    expect(await verifier.verify(`\`\`\`cpp\n${right}\n\`\`\``, task)).toMatchObject({
      passed: true,
      detail: '',
    });
    expect(await verifier.verify(`\`\`\`cpp\n${wrong}\n\`\`\``, task)).toMatchObject({
      passed: false,
      compiled: true,
      stage: 'compare',
    });
  });
});
