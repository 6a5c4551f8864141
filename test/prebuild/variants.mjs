/**
 * The prebuilt addon, alone: each CPU variant that this machine can run is put into a folder with the addon and without
 * the others, fine-tunes the same model in a process of its own, and must arrive at the same losses. Only libraries of
 * that folder may be in use. Prints "N passed, N failed, N skipped".
 *
 *     node test/prebuild/variants.mjs <model.gguf>
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const tuple = `${process.platform}-${process.arch}`;
const prebuilds = path.resolve(here, '../../prebuilds', tuple);
const model = path.resolve(process.argv[2]);

const files = fs.readdirSync(prebuilds);
const isVariant = (file) => /ggml-cpu-/.test(file);
const variants = files.filter(isVariant);
const counts = { passed: 0, failed: 0, skipped: 0 };
const say = (kind, name, why = '') => {
  counts[kind]++;
  console.log(
    `${kind === 'passed' ? 'ok     ' : kind === 'failed' ? 'FAILED ' : 'skipped'} ${name}${why && `: ${why}`}`,
  );
};

/** Losses of a run with only `libraries` beside the addon, or why there are none. */
function fineTune(libraries) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'llamatune-variant-'));
  try {
    const target = path.join(folder, 'prebuilds', tuple);
    fs.mkdirSync(target, { recursive: true });
    for (const file of libraries)
      fs.copyFileSync(path.join(prebuilds, file), path.join(target, file));
    const child = spawnSync(process.execPath, [path.join(here, 'fine-tune.mjs'), model, folder], {
      encoding: 'utf8',
      env: { ...process.env, LLAMATUNE_PREBUILD: folder, PREBUILDS_ONLY: '1' },
    });
    if (child.status !== 0) return { problem: child.signal ?? child.stderr.trim() };
    const result = JSON.parse(child.stdout.trim().split('\n').at(-1));
    const foreign = result.libraries.filter(
      (file) => !fs.realpathSync(file).startsWith(fs.realpathSync(target)),
    );
    if (foreign.length > 0) return { problem: `uses ${foreign.join(', ')}` };
    return result;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const always = files.filter((file) => !isVariant(file));
const best = fineTune(files);
if (!best.losses) say('failed', 'all variants together', best.problem);
else say('passed', `all variants together (${best.losses.length} steps)`);

for (const variant of best.losses ? variants : []) {
  const { losses, problem } = fineTune([...always, variant]);
  if (!losses) {
    // ggml refuses a variant whose instructions the CPU lacks; anything else is a failure.
    say(
      problem.includes('BACKEND_NOT_FOUND') ? 'skipped' : 'failed',
      variant,
      problem.split('\n').slice(0, 8).join(' '),
    );
    continue;
  }
  const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - best.losses[i])));
  if (losses.length === best.losses.length && worst < 1e-4) say('passed', variant);
  else
    say('failed', variant, `expected the losses of the best variant but they differ by ${worst}`);
}

console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
