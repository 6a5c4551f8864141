/**
 * npm run bench:adaptive: adaptive training compared with static training, with several seeds.
 * `npm run bench:adaptive -- --help` lists the options; docs/adaptive.md says what the numbers mean.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';
import { requireBuild } from '../../scripts/typescript-build.mjs';
import { readArguments, readChoice, readNumber, runBenchmark } from '../bench-training/options.mjs';
import { realModel, realModels } from '../bench-training/real-models.mjs';
import { demoTask, rowsTask } from './tasks.mjs';
import { optionsOf, variants } from './variants.mjs';

const usage = `npm run bench:adaptive -- [options]

  --train path         training rows (JSON Lines); without it, only the demo task runs
  --validation path    validation rows, with --train
  --model name|path    ${realModels.join(', ')}, or a GGUF file, with --train   (smollm2-135m)
  --steps n            optimizer steps   (those of the demo; with --train 40)
  --batch n            samples of a step, with --train   (8)
  --rate x             learning rate, with --train   (1e-3)
  --variant a,b        ${Object.keys(variants).join(', ')}   (all)
  --seeds n            seeds 1 to n   (5)
  --threads n          0 = one per physical core   (0)
  --output path        folder of the results; runs that it has already are not repeated   (benchmarks/results/<date>-adaptive)
  --models-dir path    folder for the models   (.cache/bench-models)`;

function parseOptions(argv) {
  const text = (fallback) => ({ type: 'string', default: fallback });
  const today = new Date().toISOString().slice(0, 10);
  const values = readArguments(argv, {
    train: { type: 'string' },
    validation: { type: 'string' },
    model: text('smollm2-135m'),
    steps: { type: 'string' },
    batch: text('8'),
    rate: text('1e-3'),
    variant: text(Object.keys(variants).join(',')),
    seeds: text('5'),
    threads: text('0'),
    output: text(path.join(root, 'benchmarks', 'results', `${today}-adaptive`)),
    'models-dir': text(path.join(root, '.cache', 'bench-models')),
  });
  const names = values.variant.split(',');
  for (const name of names) readChoice(name, 'variant', Object.keys(variants));
  const number = (name, least) => readNumber(values[name], name, least);
  return {
    ...values,
    names,
    steps: values.steps === undefined ? undefined : number('steps', 1),
    batch: number('batch', 1),
    seeds: number('seeds', 1),
    threads: number('threads', 0),
  };
}

function taskOf(options) {
  const { train, validation, model, steps, batch, rate } = options;
  if (train === undefined) return demoTask({ steps });
  if (validation === undefined) {
    throw new BuildError('--validation is missing', 'Give both --train and --validation.');
  }
  const file = realModels.includes(model) ? realModel(model, options['models-dir']) : model;
  const learningRate = Number(rate);
  return rowsTask({ model: file, train, validation, steps, batchSize: batch, learningRate });
}

const readRuns = (file) =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];

async function runOnce(task, variant, seed, threads) {
  const { finetune } = await import('../../dist/index.js');
  const folder = mkdtempSync(path.join(tmpdir(), 'llamatune-bench-adaptive-'));
  const options = optionsOf(task, variant, seed);
  const { batchSize } = options;
  const run = finetune({
    ...options,
    model: task.model,
    dataset: task.train,
    validation: { ...options.validation, dataset: task.validation },
    output: path.join(folder, 'adapter.gguf'),
    threads,
  });
  const record = { task: task.name, variant, seed, losses: [], evaluations: [], interventions: [] };
  let [accumulation, samples] = [1, 0];
  try {
    for await (const event of run) {
      if (event.type === 'intervention') {
        const { type: _, ...intervention } = event;
        record.interventions.push(intervention);
      }
      if (event.type === 'step') {
        record.losses.push(event.loss);
        samples += batchSize * accumulation;
        const raised = record.interventions.findLast(({ kind }) => kind === 'accumulation');
        accumulation = raised?.after ?? 1; // from the next step on
      }
      if (event.type === 'evaluation') {
        record.evaluations.push({ step: event.step, samples, loss: event.loss });
      }
    }
    const { finalValidationLoss, steps } = await run.result;
    return { ...record, steps, validationLoss: finalValidationLoss };
  } catch (error) {
    return {
      ...record,
      steps: record.losses.length,
      validationLoss: null,
      error: error.code ?? String(error),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(options) {
  requireBuild();
  const { markdown } = await import('./summary.mjs');
  const task = taskOf(options);
  mkdirSync(options.output, { recursive: true });
  const file = path.join(options.output, 'runs.jsonl');
  const isDone = (variant, seed) =>
    readRuns(file).some(
      (run) => run.task === task.name && run.variant === variant && run.seed === seed,
    );
  for (let seed = 1; seed <= options.seeds; seed++) {
    for (const variant of options.names) {
      if (isDone(variant, seed)) continue;
      const record = await runOnce(task, variant, seed, options.threads);
      appendFileSync(file, `${JSON.stringify(record)}\n`);
      const { validationLoss, steps, interventions } = record;
      console.error(
        `llamatune: ${task.name} ${variant} seed ${seed}: validation loss ${validationLoss?.toFixed(4)} after ${steps} steps, ${interventions.length} interventions`,
      );
    }
  }
  const table = markdown(readRuns(file));
  writeFileSync(path.join(options.output, 'results.md'), `${table}\n`);
  console.log(table);
}

await runBenchmark(async () => {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(usage);
  else await main(options);
}, usage);
