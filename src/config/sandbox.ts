import { z } from 'zod';

const MEBIBYTE = 1024 * 1024;

/** Limits of a program in the sandbox. */
export const sandboxLimitsSchema = z.strictObject({
  timeMs: z
    .int()
    .min(10)
    .max(3_600_000)
    .default(10_000)
    .describe('Time until all processes of the program are killed.'),
  cpuSeconds: z.int().min(1).max(3600).default(10).describe('CPU time of a process.'),
  memoryBytes: z
    .int()
    .min(MEBIBYTE)
    .default(512 * MEBIBYTE)
    .describe('Memory of a process, and of all processes of the program together.'),
  fileBytes: z
    .int()
    .min(0)
    .default(16 * MEBIBYTE)
    .describe('Size of a file that the program writes.'),
  diskBytes: z
    .int()
    .min(MEBIBYTE)
    .default(64 * MEBIBYTE)
    .describe('Size of all files that the program writes. They are kept in memory.'),
  files: z.int32().min(16).default(1024).describe('Number of files that the program writes.'),
  processes: z.int32().min(1).default(32).describe('Number of processes and threads.'),
  openFiles: z.int32().min(8).default(256).describe('Number of open files of a process.'),
  outputBytes: z
    .int()
    .min(1024)
    .max(256 * MEBIBYTE)
    .default(256 * 1024)
    .describe('Size of the output; a program that writes more is killed.'),
});

/** Limits of a program in the sandbox, every one filled in. */
export type SandboxLimits = z.output<typeof sandboxLimitsSchema>;

/** How the program of an answer is kept from doing harm. */
export const sandboxMode = () =>
  z
    .enum(['isolated', 'limits', 'none'] satisfies SandboxMode[])
    .default('isolated')
    .describe(
      'How the code of an answer runs. isolated: in namespaces of Linux, without network and files. limits: resource ' +
        'limits only, on Linux and macOS. none: as any program, on every system.',
    );

/** How the program of an answer is kept from doing harm; see docs/verifying.md. */
export type SandboxMode = 'isolated' | 'limits' | 'none';
