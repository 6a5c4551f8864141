/**
 * npm run bench:quality: trains LoRA adapters with llamatune and with PEFT on the same rows, and evaluates them.
 * `npm run bench:quality -- --help` lists the options; docs/quality.md says what the numbers mean.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { requireBuild } from '../../scripts/typescript-build.mjs';
import { readArguments, runBenchmark, UsageError } from '../bench-training/options.mjs';
import { realModel, realModels } from '../bench-training/real-models.mjs';
import { baseCells, evaluateCell } from './evaluate.mjs';
import { adapterFile, baseFile, kept } from './files.mjs';
import { writeResults } from './results.mjs';
import { runScript } from './run-script.mjs';
import { cellName, MODELS, PEFT_MODULES, settings, trainedCells, WEIGHTS } from './settings.mjs';

const usage = `npm run bench:quality -- --data folder --model name=path… --output folder [options]

  --data folder      train.jsonl and validation.jsonl with question, label and text
  --model name=path  a GGUF file of ${Object.keys(MODELS).join(' or ')}; may be repeated; smollm2-135m alone is downloaded
  --output folder    adapters, answers and results; a finished cell is not run again
  --seeds n,n        (1,2,3)
  --epochs n         (${settings.epochs})
  --threads n        compute threads, 0 = one per physical core   (0)
  --python path      a Python with torch, transformers, peft and gguf   (none: no PEFT)
  --embedder path    a GGUF embedding model for the cosine of answers and references   (none: no cosine)
  --run-with text    a command before each cell, e.g. "nice -n 15"
  --only text        only cells whose name contains this text
  --no-evaluation    only train`;

/** The options that the command line gives. */
function readOptions(args) {
  const values = readArguments(args, {
    data: { type: 'string' },
    model: { type: 'string', multiple: true },
    output: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3' },
    epochs: { type: 'string', default: String(settings.epochs) },
    threads: { type: 'string', default: '0' },
    python: { type: 'string' },
    embedder: { type: 'string' },
    'run-with': { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    'no-evaluation': { type: 'boolean', default: false },
  });
  if (values.help) return values;
  for (const name of ['data', 'model', 'output']) {
    if (values[name] === undefined) throw new UsageError(`--${name} is missing`);
  }
  const output = path.resolve(values.output);
  const files = Object.fromEntries(
    values.model.map((text) => {
      const [name, ...rest] = text.split('=');
      if (!(name in MODELS)) throw new UsageError(`--model ${text} names no known model`);
      if (rest.length > 0) return [name, path.resolve(rest.join('='))];
      if (!realModels.includes(name)) throw new UsageError(`--model ${name} needs a path`);
      return [name, realModel(name, path.join(output, 'models'))];
    }),
  );
  return {
    ...values,
    files,
    data: path.resolve(values.data),
    output,
    seeds: values.seeds.split(',').map(Number),
    settings: { ...settings, epochs: Number(values.epochs), threads: Number(values.threads) },
    prefix: values['run-with'].split(' ').filter((word) => word !== ''),
  };
}

const script = (name) => path.join(import.meta.dirname, name);

/** The base model in each type of weights, all made from the given file. */
async function makeBases({ files, output }) {
  const { quantizeModel } = await import('../../dist/index.js');
  for (const [model, input] of Object.entries(files)) {
    for (const type of WEIGHTS) {
      const file = baseFile(output, model, type);
      if (existsSync(file)) continue;
      console.error(`making ${file}`);
      await quantizeModel({ input, output: file, type });
    }
  }
}

/** Trains a cell, unless it is trained, and imports the adapter of PEFT. */
async function train(cell, options) {
  const { output, data, settings, prefix, python } = options;
  const name = cellName(cell);
  return kept(path.join(output, 'cells', `${name}.json`), async () => {
    console.error(`${new Date().toISOString()} training ${name}`);
    const base = baseFile(output, cell.model, cell.weights);
    const adapter = adapterFile(output, cell);
    mkdirSync(path.dirname(adapter), { recursive: true });
    if (cell.trainer === 'llamatune') {
      const request = { cell, settings, data, base, output: adapter };
      return runScript([...prefix, process.execPath, script('train.mjs')], request);
    }
    const rows = path.join(output, 'models', `${cell.model}-rows.json`);
    await kept(rows, async () => {
      const request = { model: cell.model, data, base };
      return runScript([...prefix, process.execPath, script('encode.mjs')], request);
    });
    const folder = adapter.replace(/\.gguf$/, '');
    const measured = await runScript([...prefix, python, script('train-peft.py')], {
      ...{ base, rows, output: folder, seed: cell.seed, settings, modules: PEFT_MODULES },
      microBatch: 4,
      learningRates: await learningRates(rows, settings),
    });
    const { importAdapter } = await import('../../dist/index.js');
    await importAdapter({ model: base, adapter: folder, output: adapter });
    return measured;
  });
}

/** The schedule that llamatune uses. */
async function learningRates(rows, { epochs, batchSize, learningRate, warmupRatio }) {
  const { buildSchedule } = await import('../../dist/schedule/schedule.js');
  const { resolveWarmupSteps } = await import('../../dist/schedule/warmup.js');
  const { train } = JSON.parse(readFileSync(rows, 'utf8'));
  const totalSteps = epochs * Math.ceil(train.length / batchSize);
  const warmupSteps = resolveWarmupSteps({ warmupRatio }, totalSteps);
  return [...buildSchedule({ type: 'cosine', learningRate, warmupSteps, totalSteps })];
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    console.log(usage);
    return;
  }
  requireBuild();
  await makeBases(options);
  const models = Object.keys(options.files);
  const chosen = (cell) =>
    cellName(cell).includes(options.only) && (cell.trainer !== 'peft' || options.python);
  const cells = [...baseCells(models), ...trainedCells(models, options.seeds)].filter(chosen);
  for (const cell of cells) {
    if (cell.trainer !== 'base') await train(cell, options);
    if (!options['no-evaluation']) await evaluateCell(cell, options);
  }
  if (!options['no-evaluation']) await writeResults(options);
}

await runBenchmark(main, usage);
