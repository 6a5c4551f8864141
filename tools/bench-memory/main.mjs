/**
 * npm run bench:memory: compares the memory estimate of training runs with the peak memory of a process that does nothing
 * else. `npm run bench:memory -- --help` lists the options.
 */
import path from 'node:path';
import { requireBuild } from '../../scripts/typescript-build.mjs';
import { readArguments, readChoice, readNumber, runBenchmark } from '../bench-training/options.mjs';
import { alignColumns } from '../bench-training/table.mjs';
import { runTrial } from '../bench-training/trial.mjs';
import { configurations } from './configurations.mjs';

const usage = `npm run bench:memory -- [options]

  --only a,b         ${Object.keys(configurations).join(', ')}   (all)
  --longest n,n      instead: the longest row that can be trained in n GB, for some models
  --json             one JSON object per run on standard output (use npm run --silent)
  --models-dir path  folder for the models   (.cache/bench-models)`;

/** Runs a configuration in a new process. Resolves to its name and memory, or an `error`. */
export async function measureMemory(name, modelsDirectory) {
  const { benchModel } = await import('../bench-training/models.mjs');
  const spec = configurations[name];
  const file = await benchModel(spec.model, spec.type, modelsDirectory);
  const script = path.join(import.meta.dirname, 'measure.mjs');
  return { name, ...(await runTrial(script, { ...spec, path: file })) };
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);

function cellsOf({ name, error, estimatedMemoryBytes, peakMemoryBytes, ratio }) {
  const { type, microBatch, sequence, ragged, gradientCheckpointing, weightCache } =
    configurations[name];
  return [
    name,
    type,
    `${microBatch} × ${sequence}${ragged ? ' ragged' : ''}`,
    gradientCheckpointing,
    weightCache,
    ...(error
      ? [error.code, '', '']
      : [megabytes(estimatedMemoryBytes), megabytes(peakMemoryBytes), ratio.toFixed(3)]),
  ];
}

const titles = [
  'run',
  'type',
  'batch',
  'checkpointing',
  'cache',
  'estimate MB',
  'peak MB',
  'ratio',
];

async function printLongestRows({ longest, 'models-dir': modelsDirectory }) {
  const { longestRows, rowModels } = await import('./longest-row.mjs');
  const gigabytes = longest.split(',').map((text) => readNumber(text, 'longest', 1));
  const lines = [['model', 'type', ...gigabytes.map((n) => `${n} GB`)]];
  for (const [name, type] of Object.entries(rowModels)) {
    const limits = gigabytes.map((n) => n * 1e9);
    const rows = await longestRows(name, limits, modelsDirectory);
    lines.push([name, type, ...rows.map((tokens) => (tokens > 0 ? `${tokens}` : '–'))]);
  }
  console.log(alignColumns(lines, 2));
}

async function main() {
  const values = readArguments(process.argv.slice(2), {
    only: { type: 'string' },
    longest: { type: 'string' },
    json: { type: 'boolean', default: false },
    'models-dir': { type: 'string' },
  });
  if (values.help) return console.log(usage);
  requireBuild();
  if (values.longest) return printLongestRows(values);
  const known = Object.keys(configurations);
  const names = values.only?.split(',').map((name) => readChoice(name, 'only', known)) ?? known;
  const rows = [];
  for (const name of names) {
    const row = await measureMemory(name, values['models-dir']);
    rows.push(row);
    if (row.error) {
      console.error(`llamatune: ${name}: ${row.error.message} [${row.error.code}]`);
      process.exitCode = 1;
    }
    if (values.json) console.log(JSON.stringify(row));
  }
  if (!values.json) console.log(alignColumns([titles, ...rows.map(cellsOf)], 5));
}

if (process.argv[1] === import.meta.filename) await runBenchmark(main, usage);
