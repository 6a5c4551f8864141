/**
 * npm run bench:training: measures the speed of LoRA training, and its fraction of the peak speed of this machine.
 * `npm run bench:training -- --help` lists the options; docs/performance.md says what the numbers mean.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../../scripts/native-build.mjs';
import { requireBuild } from '../../scripts/typescript-build.mjs';
import { parseOptions, runBenchmark, usage } from './options.mjs';
import { realModel, realModels } from './real-models.mjs';
import { mergeRows } from './row.mjs';
import { markdownReport, textTable } from './table.mjs';
import { runTrial } from './trial.mjs';

const measureScript = path.join(import.meta.dirname, 'measure.mjs');
const results = path.join(root, 'benchmarks', 'results');

/** Measures one row. Resolves to the row, or to its options with an `error`. */
async function measureRow(spec, environment) {
  const row = await runTrial(measureScript, spec, environment);
  if (!row.error) return row;
  const { path: _, gradientCheckpointing = null, weightCache = null, ...options } = spec;
  return { ...options, gradientCheckpointing, weightCache, error: row.error };
}

/** With --profile: the engine writes the time of its operations to the file that LLAMATUNE_PROFILE names. */
async function measureProfiled(spec) {
  const folder = mkdtempSync(path.join(tmpdir(), 'llamatune-profile-'));
  const file = path.join(folder, 'profile.txt');
  try {
    const row = await measureRow(spec, { LLAMATUNE_PROFILE: file });
    console.error(
      existsSync(file) ? readFileSync(file, 'utf8') : 'llamatune: this build writes no profile',
    );
    return row;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function save(rows) {
  const { describeMachine, hostKind } = await import('./machine.mjs');
  const machine = describeMachine();
  const date = new Date().toISOString().slice(0, 10);
  const base = path.join(results, `${date}-${hostKind(machine)}`);
  mkdirSync(results, { recursive: true });
  const earlier = existsSync(`${base}.json`)
    ? JSON.parse(readFileSync(`${base}.json`, 'utf8')).rows
    : [];
  const report = { date, machine, rows: mergeRows(earlier, rows) };
  writeFileSync(`${base}.json`, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(`${base}.md`, markdownReport(report));
  console.error(`llamatune: wrote ${path.relative(root, base)}.json and .md`);
}

async function modelFile({ model, type, file }, { modelsDirectory }) {
  const { benchModel, defaultDirectory } = await import('./models.mjs');
  if (file === undefined) return benchModel(model, type, modelsDirectory);
  return realModels.includes(file) ? realModel(file, modelsDirectory ?? defaultDirectory) : file;
}

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    console.log(usage);
    return;
  }
  requireBuild();
  const rows = [];
  for (const spec of options.rows) {
    const label =
      spec.data === undefined
        ? `${spec.model} ${spec.type} ${spec.microBatch}×${spec.sequence}${spec.ragged ? ' ragged' : ''}`
        : `${spec.file} on ${spec.data}`;
    const file = await modelFile(spec, options);
    if (!options.json)
      console.error(`llamatune: measuring ${label} (${rows.length + 1} of ${options.rows.length})`);
    const withFile = { ...spec, path: file };
    const row = await (spec.profile ? measureProfiled(withFile) : measureRow(withFile));
    rows.push(row);
    if (row.error) {
      console.error(`llamatune: ${label}: ${row.error.message} [${row.error.code}]`);
      process.exitCode = 1;
    }
    if (options.json) console.log(JSON.stringify(row));
  }
  if (!options.json) console.log(textTable(rows));
  const measured = rows.filter((row) => row.error === undefined);
  if (options.save && measured.length > 0) await save(measured);
}

await runBenchmark(main, usage);
