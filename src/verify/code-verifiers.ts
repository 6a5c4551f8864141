import { isPresent } from '../config/parse.js';
import type { VerifierConfigOf } from '../config/verifier.js';
import { sameOutput } from './output.js';
import { ProgramRunner } from './program.js';
import {
  expectedOf,
  failed,
  passed,
  shortened,
  taskInvalid,
  type Verdict,
  type Verifier,
  type VerifierTask,
} from './verifier.js';

/** Passes if the code of the answer compiles; nothing is run or linked. */
export async function compileVerifier(config: VerifierConfigOf<'compile'>): Promise<Verifier> {
  const runner = await ProgramRunner.create(config);
  return {
    name: config.type,
    async verify(output, _task, signal) {
      const extracted = runner.extract(output);
      if ('verdict' in extracted) return extracted.verdict;
      const sources = { [runner.file('main')]: extracted.code };
      const result = await runner.execute(sources, null, signal);
      return 'verdict' in result ? result.verdict : passed('compile', true);
    },
  };
}

/** Passes if the program of the answer ends with code 0 and writes the expected output. */
export async function runVerifier(config: VerifierConfigOf<'run'>): Promise<Verifier> {
  const runner = await ProgramRunner.create(config);
  return {
    name: config.type,
    check: (task) => {
      expectedOf(task, config.type);
      column(task, config.stdinColumn);
    },
    async verify(output, task, signal) {
      const expected = expectedOf(task, config.type);
      const stdin = column(task, config.stdinColumn) ?? '';
      const extracted = runner.extract(output);
      if ('verdict' in extracted) return extracted.verdict;
      const sources = { [runner.file('main')]: extracted.code };
      const run = { stdin, limits: config.limits };
      const result = await runner.execute(sources, run, signal);
      if ('verdict' in result) return result.verdict;
      return compared(result.outcome.stdout, expected, config.whitespace);
    },
  };
}

/**
 * Passes if the unit tests of the row end with code 0, and write the expected output if the task has one. That protects
 * from an answer that ends the program before the tests have run.
 */
export async function testsVerifier(config: VerifierConfigOf<'tests'>): Promise<Verifier> {
  const runner = await ProgramRunner.create(config);
  const testsOf = (task: VerifierTask): string => {
    const tests = column(task, config.testsColumn);
    if (tests !== undefined) return tests;
    throw taskInvalid(task, `its row has no text in the column '${config.testsColumn}'`);
  };
  return {
    name: config.type,
    check: (task) => void testsOf(task),
    async verify(output, task, signal) {
      const tests = testsOf(task);
      const extracted = runner.extract(output);
      if ('verdict' in extracted) return extracted.verdict;
      const { code } = extracted;
      const sources =
        config.placement === 'append'
          ? { [runner.file('main')]: `${code}\n${tests}\n` }
          : { [runner.file('main')]: tests, [runner.file('answer')]: code };
      const run = { stdin: '', limits: config.limits };
      const result = await runner.execute(sources, run, signal);
      if ('verdict' in result) return result.verdict;
      if (task.expected === undefined) return passed('compare', true);
      return compared(result.outcome.stdout, task.expected, 'lines');
    },
  };
}

function compared(
  output: string,
  expected: string,
  whitespace: 'lines' | 'words' | 'exact',
): Verdict {
  if (sameOutput(output, expected, whitespace)) return passed('compare', true);
  const detail = `wrote '${shortened(output)}' instead of '${shortened(expected)}'`;
  return failed('compare', detail, true);
}

/**
 * The text or number in a column of the row of a task; undefined if there is none.
 *
 * @throws LlamatuneError VERIFIER_TASK_INVALID if it is something else
 */
function column(task: VerifierTask, name: string): string | undefined {
  const value = (task.row as Record<string, unknown> | null | undefined)?.[name];
  if (!isPresent(value)) return undefined;
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw taskInvalid(task, `its row has no text in the column '${name}'`);
}
