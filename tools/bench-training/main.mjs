/**
 * npm run bench:training: how fast LoRA training is here, and what part that is of what this machine could do.
 * `npm run bench:training -- --help` lists the options; docs/performance.md says what the numbers mean.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root, runMain } from '../../scripts/native-build.mjs';
import { BuildError } from '../../scripts/tools.mjs';
import { parseOptions, UsageError, usage } from './options.mjs';
import { mergeRows } from './row.mjs';
import { markdownReport, textTable } from './table.mjs';

const measureScript = path.join(import.meta.dirname, 'measure.mjs');
const results = path.join(root, 'benchmarks', 'results');

/** Runs one row in a process of its own. @returns the row, or what was asked for with an `error`. */
function measureApart(spec, environment) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [measureScript, JSON.stringify(spec)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (data) => {
      output += data;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const last = output.trim().split('\n').at(-1);
      const row = last.startsWith('{') ? JSON.parse(last) : {};
      if (code === 0) return resolve(row);
      const { path: _, recompute = null, ...asked } = spec;
      const error = row.error ?? {
        code: 'ENDED',
        message: `the process ended with ${signal ?? code}`,
      };
      resolve({ ...asked, recompute, error });
    });
  });
}

/** With --profile: the engine writes the time of its operations to the file that LLAMATUNE_PROFILE names. */
async function measureProfiled(spec) {
  const folder = mkdtempSync(path.join(tmpdir(), 'llamatune-profile-'));
  const file = path.join(folder, 'profile.txt');
  try {
    const row = await measureApart(spec, { LLAMATUNE_PROFILE: file });
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

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    console.log(usage);
    return;
  }
  if (!existsSync(path.join(root, 'dist', 'index.js'))) {
    throw new BuildError('expected dist/index.js but there is none', 'run npm run build first');
  }
  const { benchModel } = await import('./models.mjs');
  const rows = [];
  for (const spec of options.rows) {
    const about = `${spec.model} ${spec.type} ${spec.microBatch}×${spec.sequence}${spec.ragged ? ' ragged' : ''}`;
    const file = await benchModel(spec.model, spec.type, options.modelsDirectory, (made) =>
      console.error(`llamatune: making ${path.relative(root, made)}`),
    );
    if (!options.json)
      console.error(`llamatune: measuring ${about} (${rows.length + 1} of ${options.rows.length})`);
    const asked = { ...spec, path: file };
    const row = await (spec.profile ? measureProfiled(asked) : measureApart(asked));
    rows.push(row);
    if (row.error) {
      console.error(`llamatune: ${about}: ${row.error.message} [${row.error.code}]`);
      process.exitCode = 1;
    }
    if (options.json) console.log(JSON.stringify(row));
  }
  if (!options.json) console.log(textTable(rows));
  const measured = rows.filter((row) => row.error === undefined);
  if (options.save && measured.length > 0) await save(measured);
}

await runMain(async () => {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new BuildError(error.message, `\n${usage}`);
  }
});
