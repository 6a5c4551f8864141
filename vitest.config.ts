import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Training is parallel by itself: two files at once only slow each other down.
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
        // One process per file: each loads the addon and its models, and frees all of it at exit.
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
