/**
 * npm run bench:generation: generate() compared with the vendored llama-bench, in turns, on the same file and threads.
 * `npm run bench:generation -- --help` lists the options; docs/performance.md says what the numbers mean.
 */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { BuildError } from '../../scripts/tools.mjs';
import { requireBuild } from '../../scripts/typescript-build.mjs';
import { readArguments, readChoice, readNumber, runBenchmark } from '../bench-training/options.mjs';
import { shapes } from '../bench-training/shapes.mjs';
import { runTrial } from '../bench-training/trial.mjs';
import { buildLlamaBench, runLlamaBench } from './llama-bench.mjs';
import { buildRow, textTable } from './row.mjs';

const usage = `npm run bench:generation -- [options]

  --model a,b        ${Object.keys(shapes).join(', ')}   (qwen3-0.6b)
  --type a,b         Q8_0, Q4_K_M, F16, or another weight type   (Q8_0)
  --prompt n         tokens of the prompt   (512)
  --tokens n         tokens to generate   (32)
  --sequences n      sequences that generate() decodes together in one more measurement   (8)
  --rounds n         measurements of each side, in turns   (5)
  --threads n        0 = one per physical core   (0)
  --json             one JSON object per row on standard output (use npm run --silent)
  --models-dir path  folder for the models   (.cache/bench-models)`;

function parseOptions(argv) {
  const text = (fallback) => ({ type: 'string', default: fallback });
  const values = readArguments(argv, {
    model: text('qwen3-0.6b'),
    type: text('Q8_0'),
    prompt: text('512'),
    tokens: text('32'),
    sequences: text('8'),
    rounds: text('5'),
    threads: text('0'),
    json: { type: 'boolean', default: false },
    'models-dir': { type: 'string' },
  });
  const number = (name, least) => readNumber(values[name], name, least);
  for (const name of values.model.split(',')) readChoice(name, 'model', Object.keys(shapes));
  const common = {
    prompt: number('prompt', 2),
    tokens: number('tokens', 1),
    sequences: number('sequences', 1),
    rounds: number('rounds', 1),
    threads: number('threads', 0),
  };
  return {
    rows: values.model
      .split(',')
      .flatMap((model) =>
        values.type.split(',').map((type) => ({ model, type: type.toUpperCase(), ...common })),
      ),
    json: values.json,
    help: values.help,
    modelsDirectory: values['models-dir'],
  };
}

/**
 * A LoRA adapter of rank 8 on every linear layer, trained for two steps so that it is not zero. Kept next to the model.
 */
async function adapterFor(model) {
  const file = `${model.replace(/\.gguf$/, '')}-adapter.gguf`;
  if (existsSync(file)) return file;
  const { finetuneLora } = await import('../../dist/index.js');
  const folder = mkdtempSync(`${file}-`);
  const output = path.join(folder, 'adapter.gguf');
  try {
    const tokens = Array.from({ length: 32 }, (_, i) => 100 + i);
    await finetuneLora({
      model,
      dataset: [{ tokens }, { tokens }],
      output,
      lora: { rank: 8 },
      epochs: 1,
      maxSteps: 2,
      sequenceLength: 32,
      batchSize: 1,
      microBatchSize: 1,
      loss: 'all',
    }).result;
    renameSync(output, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return file;
}

async function measureGenerate(spec) {
  const found = await runTrial(path.join(import.meta.dirname, 'measure.mjs'), spec);
  if (found.error) throw new BuildError(`generate() could not be measured: ${found.error.message}`);
  return found;
}

async function compare(spec) {
  const loadBefore = process.platform === 'win32' ? null : loadavg()[0];
  const rounds = [];
  for (let i = 0; i < spec.rounds; i++) {
    // The order alternates, so that heat and caches affect both sides equally.
    const turns = [async () => ({ llamaBench: runLlamaBench(spec) }), () => measureGenerate(spec)];
    const [first, second] = i % 2 === 0 ? turns : turns.reverse();
    rounds.push({ ...(await first()), ...(await second()) });
  }
  return { ...buildRow(spec, rounds), loadBefore };
}

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    console.log(usage);
    return;
  }
  requireBuild();
  buildLlamaBench(() => console.error('llamatune: building llama-bench, once'));
  const { benchModel } = await import('../bench-training/models.mjs');
  const { describeMachine } = await import('../bench-training/machine.mjs');
  const { measurementEnvironment } = await import('../bench-training/measure.mjs');
  const machine = describeMachine();
  const environment = measurementEnvironment(process.env);
  if (!options.json) {
    const { cpu, cores, accelerator } = machine;
    console.log(`${cpu}, ${cores} cores; matrix products: ${accelerator ?? "ggml's own"}`);
  }
  for (const request of options.rows) {
    const file = await benchModel(request.model, request.type, options.modelsDirectory);
    const spec = {
      ...request,
      threads: request.threads || machine.cores,
      path: file,
      adapter: await adapterFor(file),
    };
    const row = { ...(await compare(spec)), environment };
    if (options.json) {
      console.log(JSON.stringify({ ...row, machine }));
    } else {
      const set = Object.entries(environment).map(([name, value]) => ` ${name}=${value}`);
      console.log(`\n${row.model} ${row.type}, ${row.threads} threads${set.join('')}`);
      console.log(textTable(row));
    }
  }
}

await runBenchmark(main, usage);
