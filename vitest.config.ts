import { configDefaults, defineConfig } from 'vitest/config';

/** Integration tests that measure memory or the use of processor time: nothing else may run at the same time. */
const alone = [
  'bench-training',
  'estimate-memory',
  'prepare-memory',
  'responsiveness',
  'weight-cache',
].map((name) => `test/integration/${name}.test.ts`);

// One process per file: each loads the addon and its models, and frees all of it at exit.
const integration = { pool: 'forks', testTimeout: 300_000, hookTimeout: 300_000 } as const;

export default defineConfig({
  test: {
    // scripts/test.mjs runs the files of 'unit' and 'integration' in parallel, but never those of 'integration-alone'.
    fileParallelism: false,
    reporters: ['default', './test/expected-skips.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/layout/**/*.test.ts'],
          // a limit for what hangs, not for what a busy machine does slowly
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...integration,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...alone],
        },
      },
      { test: { ...integration, name: 'integration-alone', include: alone } },
    ],
  },
});
