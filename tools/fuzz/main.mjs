/**
 * npm run fuzz: mutated dataset rows and files, chat templates, configurations, adapters and GGUF headers. Each must end with a
 * result or an error of ours: never a crash, a hang or memory that grows. `npm run fuzz -- --help` lists the options.
 */
import { fork } from 'node:child_process';
import path from 'node:path';
import { requireBuild } from '../../scripts/typescript-build.mjs';
import { readArguments, readChoice, readNumber, runBenchmark } from '../bench-training/options.mjs';

const KIND_NAMES = ['rows', 'files', 'templates', 'configs', 'adapters', 'peft', 'models'];

const usage = `npm run fuzz -- [options]

  --cases n      cases of all kinds together   (20000)
  --seed n       the same seed makes the same cases   (1)
  --only a,b     ${KIND_NAMES.join(', ')}   (all)
  --case n       only this case of each kind, to repeat a failure`;

/** A case that takes longer hangs. */
const CASE_MS = 30_000;
/** JavaScript's memory that may be in use after the last three quarters of the cases and was not before. */
const GROWTH_BYTES = 24e6;

/**
 * Runs cases in a child process until it ends, and counts their outcomes. Resolves to what it found, and the case in which it
 * died.
 */
function runWorker(job, outcomes) {
  return new Promise((resolve, reject) => {
    const child = fork(path.join(import.meta.dirname, 'worker.mjs'), [JSON.stringify(job)], {
      execArgv: ['--expose-gc', '--max-old-space-size=1024'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let [index, hangs, result, errors] = [undefined, false, undefined, ''];
    let timer;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        hangs = true;
        child.kill('SIGKILL');
      }, CASE_MS);
    };
    watch();
    child.stderr.setEncoding('utf8').on('data', (data) => {
      errors = (errors + data).slice(-2000);
    });
    child.on('message', (message) => {
      watch();
      if (message.outcome) outcomes[message.outcome] = (outcomes[message.outcome] ?? 0) + 1;
      if (message.done) result = message;
      else ({ index } = message);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const message = hangs
        ? `took longer than ${CASE_MS / 1000} s`
        : `${signal ?? code}: ${errors}`;
      resolve({ result, index, message: `the process ended with ${message}` });
    });
  });
}

/** All cases of a kind. A process that dies is followed by another one, from the next case on. */
async function fuzzKind(kind, seed, first, end) {
  const outcomes = {};
  const problems = [];
  for (let next = first; next < end; ) {
    const { result, index, message } = await runWorker({ kind, seed, first: next, end }, outcomes);
    if (result === undefined) {
      problems.push({ index: index ?? next, message });
      if (index === undefined) break;
      next = index + 1;
      continue;
    }
    problems.push(...result.problems);
    if (result.grown > GROWTH_BYTES) {
      problems.push({
        index: next,
        message: `memory grew by ${(result.grown / 1e6).toFixed(1)} MB`,
      });
    }
    break;
  }
  return { outcomes, problems };
}

async function main() {
  const values = readArguments(process.argv.slice(2), {
    cases: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    case: { type: 'string' },
  });
  if (values.help) return console.log(usage);
  requireBuild();
  const kinds = values.only?.split(',') ?? KIND_NAMES;
  for (const kind of kinds) readChoice(kind, 'only', KIND_NAMES);
  const seed = readNumber(values.seed, 'seed', 0);
  const share = Math.ceil(readNumber(values.cases, 'cases', 1) / kinds.length);
  const only = values.case === undefined ? undefined : readNumber(values.case, 'case', 0);
  const [first, end] = only === undefined ? [0, share] : [only, only + 1];
  let failures = 0;
  for (const kind of kinds) {
    const started = performance.now();
    const { outcomes, problems } = await fuzzKind(kind, seed, first, end);
    const list = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${kind}: ${end - first} cases in ${seconds} s`);
    console.log(`  ${list.map(([code, count]) => `${code} ${count}`).join(', ')}`);
    for (const { index, message } of problems.slice(0, 10)) {
      console.log(
        `  FAILED npm run fuzz -- --only ${kind} --seed ${seed} --case ${index}\n    ${message.replaceAll('\n', '\n    ')}`,
      );
    }
    failures += problems.length;
  }
  console.log(`${failures} failed`);
  process.exitCode = failures > 0 ? 1 : 0;
}

await runBenchmark(main, usage);
