import { existsSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { hasBrowser } from './browser.js';
import { canMountSmallDisk } from './small-disk.js';
import { canIsolate, hasEveryLanguage } from './toolchains.js';

/** Tests that cannot run where `holds` is true. */
export interface ExpectedSkip {
  reason: string;
  holds: boolean;
  /** '<file>: <suite> > <test>' or, for all tests of a suite, '<file>: <suite>'. */
  tests: readonly string[];
}

/** The results of one test file. */
export interface FileResult {
  /** Relative to the root of the repository, with '/' on every platform. */
  file: string;
  tests: readonly { name: string; skipped: boolean }[];
}

const root = fileURLToPath(new URL('..', import.meta.url));
const windows = process.platform === 'win32';

function builtWithVulkan(): boolean {
  const cache = join(root, 'build', 'addon', 'CMakeCache.txt');
  return existsSync(cache) && /^GGML_VULKAN:BOOL=ON$/m.test(readFileSync(cache, 'utf8'));
}

/** All expected skips. A run fails on any other skip, and on a listed test that runs although its reason holds. */
export const expectedSkips: readonly ExpectedSkip[] = [
  {
    reason: 'Windows lacks the signals that stop or interrupt a process, sh and cc',
    holds: windows,
    tests: [
      'test/integration/rpc.test.ts: training over RPC > can be aborted while a server hangs',
      'test/integration/rpc-hangs.test.ts: an RPC server that hangs',
      'test/unit/contract/probe.test.ts: probing a back end in a child process > finds a library that ends the process',
      'test/integration/signals.test.ts: a signal',
      'test/integration/checkpoints.test.ts: the command line > writes a checkpoint on SIGINT and SIGTERM, and resumes',
      'test/integration/signals.test.ts: a full disk',
    ],
  },
  {
    reason: 'Windows has no file modes or devices, and symbolic links to files need a privilege',
    holds: windows,
    tests: [
      'test/unit/files/check.test.ts: an output that is an input > is refused through chains of symbolic links',
      'test/unit/files/check.test.ts: checkFiles > never replaces a device, but may log to one',
      'test/unit/files/check.test.ts: checkFiles without permission',
      'test/unit/files/files.test.ts: replaceFile > keeps a symbolic link and permissions',
      'test/integration/outputs.test.ts: an output that is a symbolic link > is kept by every writer',
    ],
  },
  {
    reason: 'there is no browser of the Chromium family, and it cannot be installed',
    holds: !hasBrowser(),
    tests: [
      'test/integration/report-page.test.ts: report.html in a browser',
      'test/integration/inspection-page.test.ts: the page of a dataset in a browser',
    ],
  },
  {
    reason: 'the GPU kit runs on Linux only',
    holds: process.platform !== 'linux',
    tests: ['test/unit/tools/gpu-kit/run.test.ts: run.sh'],
  },
  {
    reason: 'root can read every file, and Windows has no file modes',
    holds: windows || process.getuid?.() === 0,
    tests: [
      'test/unit/hardware/sources/rapl.test.ts: rapl > says that only root can read the counters',
    ],
  },
  {
    reason: 'Windows cannot start a script as a program',
    holds: windows,
    tests: [
      'test/unit/verify/missing-tools.test.ts: a verifier of code > says how a tool failed',
      'test/unit/hardware/tools.test.ts: tools that measure',
      'test/integration/suite-hardware.test.ts: a suite on a machine with a GPU tool',
    ],
  },
  {
    reason: 'there is no /dev/full',
    holds: !existsSync('/dev/full'),
    tests: [
      'test/integration/signals.test.ts: a full disk > for standard output makes the exit code 1',
      'test/integration/signals.test.ts: a full disk > for the run log from the start is a warning too',
      'test/integration/trackers.test.ts: the run log > is a warning if it cannot be written',
    ],
  },
  {
    reason: 'users cannot mount a small file system in a namespace',
    holds: !canMountSmallDisk(),
    tests: ['test/integration/full-disk.test.ts: a disk without space'],
  },
  {
    reason: 'programs cannot be isolated: it takes Linux, and users that may make namespaces',
    holds: !canIsolate(),
    tests: [
      'test/integration/sandbox.test.ts: a sandbox',
      'test/unit/raft/cpp-prompts.test.ts: solutions of the built-in C++ prompts',
      'test/unit/sandbox/isolated.test.ts: a program in namespaces',
      'test/unit/verify/languages.test.ts: code in a sandbox',
    ],
  },
  {
    reason: 'there are not the tools of every language',
    holds: canIsolate() && !hasEveryLanguage(),
    tests: ['test/unit/verify/languages.test.ts: code in a sandbox > is tested in every language'],
  },
  {
    reason: 'Windows has no resource limits for programs',
    holds: windows,
    tests: ['test/unit/sandbox/plain.test.ts: limits of resources'],
  },
  {
    reason: 'the addon was built without the Vulkan back end',
    holds: windows || !builtWithVulkan(),
    tests: ['test/integration/devices.test.ts: a driver that ends the process > causes a warning'],
  },
];

const matches = (test: string, entry: string): boolean =>
  test === entry || test.startsWith(`${entry} > `);

const ran = (entry: string, files: readonly FileResult[]): boolean =>
  files.some(({ file }) => entry.startsWith(`${file}: `));

/** Differences between the skips of a run and the list; empty if they agree. */
export function skipProblems(
  files: readonly FileResult[],
  expected: readonly ExpectedSkip[],
): string[] {
  const all = files.flatMap(({ file, tests }) =>
    tests.map(({ name, skipped }) => ({ test: `${file}: ${name}`, skipped })),
  );
  const here = expected.filter(({ holds }) => holds);
  const wrong = all.flatMap(({ test, skipped }) => {
    const reason = here.find(({ tests }) => tests.some((entry) => matches(test, entry)))?.reason;
    if (skipped === (reason !== undefined)) return [];
    return skipped
      ? [`skipped, but not listed: ${test}`]
      : [`listed as skipped because ${reason}, but it ran: ${test}`];
  });
  const stale = expected
    .flatMap(({ tests }) => tests)
    .filter((entry) => ran(entry, files))
    .filter((entry) => !all.some(({ test }) => matches(test, entry)));
  return [...wrong, ...stale.map((entry) => `listed, but there is no such test: ${entry}`)];
}

function resultOf(module: TestModule): FileResult {
  return {
    file: relative(root, module.moduleId).split(sep).join('/'),
    tests: Array.from(module.children.allTests(), (test) => ({
      name: test.fullName,
      skipped: test.result().state === 'skipped',
    })),
  };
}

/** Vitest reporter: fails a run with a skip that is not expected, and a run whose name filter (-t) matches no test. */
export default class ExpectedSkips implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const files = modules.filter((module) => module.errors().length === 0).map(resultOf);
    const pattern = this.#vitest?.config.testNamePattern;
    const problems =
      pattern === undefined
        ? skipProblems(files, expectedSkips)
        : files.some(({ tests }) => tests.some(({ skipped }) => !skipped))
          ? []
          : [`no test's name matches ${pattern}`];
    for (const problem of problems) console.error(`test/expected-skips.ts: ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
  }
}
