import { join } from 'node:path';
import { type SandboxLimits, type SandboxMode, sandboxLimitsSchema } from '../config/sandbox.js';
import type { Language } from '../config/verifier.js';
import { requireSandbox } from '../sandbox/capabilities.js';
import type { SandboxJob, SandboxStep, StepOutcome } from '../sandbox/job.js';
import { runJob } from '../sandbox/run-job.js';
import { extractCode } from './extract-code.js';
import { LANGUAGES } from './languages.js';
import { findToolchain, type Toolchain } from './toolchains.js';
import { failed, shortened, type Verdict } from './verifier.js';

const MEBIBYTE = 1024 * 1024;

/** Limits of a compiler, whose input is not trusted but which is a large program itself. */
const COMPILER_LIMITS: SandboxLimits = sandboxLimitsSchema.parse({
  timeMs: 60_000,
  cpuSeconds: 60,
  memoryBytes: 4096 * MEBIBYTE,
  fileBytes: 256 * MEBIBYTE,
  diskBytes: 512 * MEBIBYTE,
  processes: 128,
  openFiles: 1024,
});

export interface ProgramOptions {
  language: Language;
  flags: readonly string[];
  sandbox: SandboxMode;
}

/** What is wrong with the code of an answer, as a verdict, or what its program did. */
export type ProgramResult = { verdict: Verdict } | { outcome: StepOutcome };

/** Compiles and runs the code of answers in one language. */
export class ProgramRunner {
  readonly #options: ProgramOptions;
  readonly #toolchain: Toolchain;

  private constructor(options: ProgramOptions, toolchain: Toolchain) {
    this.#options = options;
    this.#toolchain = toolchain;
  }

  /** @throws LlamatuneError TOOLCHAIN_NOT_FOUND; SANDBOX_UNAVAILABLE */
  static async create(options: ProgramOptions): Promise<ProgramRunner> {
    await requireSandbox(options.sandbox);
    return new ProgramRunner(options, await findToolchain(options.language));
  }

  /** A file name with the extension of the language. */
  file(name: string): string {
    return `${name}.${LANGUAGES[this.#options.language].extension}`;
  }

  /** The code of an answer, or the verdict that there is none. */
  extract(answer: string): { code: string } | { verdict: Verdict } {
    const { title, fenceNames } = LANGUAGES[this.#options.language];
    const code = extractCode(answer, fenceNames);
    if (code === null) return { verdict: failed('extract', `there is no ${title} code`) };
    if (code.includes('\0')) return { verdict: failed('extract', 'the code has a NUL character') };
    return { code };
  }

  /**
   * Compiles source files, and runs the program if `run` is given.
   *
   * @param sources texts by file name; the first is the main file
   * @returns the outcome of the last step, or the verdict that the code does not compile or does not end well
   */
  async execute(
    sources: Readonly<Record<string, string>>,
    run: { stdin: string; limits: SandboxLimits } | null,
    signal?: AbortSignal,
  ): Promise<ProgramResult> {
    const names = Object.keys(sources);
    const { files, readable, environment, compile, reservesMemory } = this.#toolchain;
    const program = (box: string) => join(box, 'program');
    const steps: SandboxStep[] = [
      {
        commands: ({ box }) =>
          compile({
            sources: names.map((name) => join(box, name)),
            box,
            program: run === null ? null : program(box),
            flags: this.#options.flags,
          }),
        limits: COMPILER_LIMITS,
        reservesMemory: reservesMemory.compiler,
      },
    ];
    if (run !== null) {
      steps.push({
        commands: ({ box }) => [this.#toolchain.run(program(box), join(box, names[0]!))],
        stdin: run.stdin,
        limits: run.limits,
        reservesMemory: reservesMemory.program,
      });
    }
    const job: SandboxJob = {
      files: { ...files, ...sources },
      steps,
      readable,
      ...(environment === undefined ? {} : { environment }),
    };
    const outcomes = await runJob(this.#options.sandbox, job, signal);
    return resultOf(outcomes, run?.limits);
  }
}

function resultOf(
  [compilation, run]: readonly StepOutcome[],
  limits: SandboxLimits | undefined,
): ProgramResult {
  const reason = reasonOfFailure(compilation!, COMPILER_LIMITS);
  if (reason !== null) return { verdict: failed('compile', reason, false) };
  if (run === undefined) return { outcome: compilation! };
  const failure = reasonOfFailure(run, limits!);
  return failure === null ? { outcome: run } : { verdict: failed('run', failure, true) };
}

/** Signals by their number on Linux and macOS, with what they usually mean. */
const SIGNALS: Readonly<Record<number, string>> = {
  4: 'SIGILL (invalid instruction)',
  6: 'SIGABRT (an assertion failed or an exception was not caught)',
  8: 'SIGFPE (division by zero)',
  9: 'SIGKILL',
  11: 'SIGSEGV (invalid memory access)',
  24: 'SIGXCPU (CPU time limit)',
  25: 'SIGXFSZ (file size limit)',
};

/** Why a program failed, with the beginning of what it wrote; null if it ended with code 0. */
function reasonOfFailure(
  { exitCode, stopped, stdout, stderr }: StepOutcome,
  { timeMs, outputBytes, memoryBytes }: SandboxLimits,
): string | null {
  if (stopped === 'time') return `did not end within ${timeMs / 1000} s`;
  if (stopped === 'output') return `wrote more than ${outputBytes} bytes`;
  if (stopped === 'memory') return `used more than ${memoryBytes} bytes of memory`;
  if (exitCode === 0) return null;
  const signal = exitCode > 128 ? SIGNALS[exitCode - 128] : undefined;
  const end = signal === undefined ? `ended with code ${exitCode}` : `was ended by ${signal}`;
  const written = shortened(stderr.trim() === '' ? stdout : stderr, 500);
  return written === '' ? end : `${end}: ${written}`;
}
