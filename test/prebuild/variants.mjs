/**
 * The prebuilt addon, alone: each CPU variant that this machine can run, of ggml and of the addon, is put into a folder
 * without the others of its kind, fine-tunes the same model in a process of its own, and must arrive at the same losses.
 * Only libraries of that folder may be in use. Prints "N passed, N failed, N skipped".
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

const files = fs
  .readdirSync(prebuilds)
  .filter((file) => fs.statSync(path.join(prebuilds, file)).isFile());
const ofGgml = files.filter((file) => /ggml-cpu-/.test(file));
const ofAddon = files.filter((file) => /^libllamatune-(?!ggml)/.test(file));
const plain = 'libllamatune-plain.so';
const counts = { passed: 0, failed: 0, skipped: 0 };
const say = (kind, name, why = '') => {
  counts[kind]++;
  console.log(
    `${kind === 'passed' ? 'ok     ' : kind === 'failed' ? 'FAILED ' : 'skipped'} ${name}${why && `: ${why}`}`,
  );
};

/** Losses of a run with only `libraries` beside the addon, one of them `broken`, or why there are none. `extra`: one more. */
function fineTune(libraries, broken, extra) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'llamatune-variant-'));
  try {
    const target = path.join(folder, 'prebuilds', tuple);
    fs.mkdirSync(target, { recursive: true });
    for (const file of libraries)
      fs.copyFileSync(path.join(prebuilds, file), path.join(target, file));
    // empty and not missing: it may be installed as well
    if (broken) fs.writeFileSync(path.join(target, broken), '');
    if (extra) fs.copyFileSync(extra, path.join(target, path.basename(extra)));
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
    return { ...result, stderr: child.stderr };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const without = (others) => files.filter((file) => !others.includes(file));
const best = fineTune(files);
if (!best.losses) say('failed', 'all variants together', best.problem);
else say('passed', `all variants together (${best.losses.length} steps)`);

/** Whether a run came to the same losses and multiplied with what it should; `unfit`: how a variant says that it cannot run. */
function compare(name, { losses, accelerator, problem }, { unfit, withOnednn }) {
  if (!losses) {
    // A variant whose instructions the CPU lacks is refused; anything else is a failure.
    const kind = unfit && problem.includes(unfit) ? 'skipped' : 'failed';
    return say(kind, name, problem.split('\n').slice(0, 8).join(' '));
  }
  const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - best.losses[i])));
  if (losses.length !== best.losses.length || !(worst < 1e-4)) {
    return say('failed', name, `expected the losses of all together but they differ by ${worst}`);
  }
  if (withOnednn !== undefined && withOnednn !== (accelerator !== null)) {
    return say(
      'failed',
      name,
      `expected ${withOnednn ? 'oneDNN' : 'ggml'} but used ${accelerator}`,
    );
  }
  say('passed', name);
}

for (const variant of best.losses ? ofGgml : []) {
  const libraries = without(ofGgml.filter((other) => other !== variant));
  compare(variant, fineTune(libraries), { unfit: 'BACKEND_NOT_FOUND' });
}
/** What Linux calls the instructions that a variant of the addon needs beyond those of the one before. */
const instructions = {
  'x86-64-v3': 'avx2',
  'x86-64-v4': 'avx512f',
  'x86-64-v4-bf16': 'avx512_bf16',
};
const cpu = fs.existsSync('/proc/cpuinfo') ? fs.readFileSync('/proc/cpuinfo', 'utf8') : '';
for (const variant of best.losses ? ofAddon : []) {
  const needs = instructions[/^libllamatune-(.*)\.so$/.exec(variant)?.[1]];
  if (needs && cpu && !new RegExp(`\\b${needs}\\b`).test(cpu)) {
    say('skipped', variant, `this CPU has no ${needs}`);
    continue;
  }
  const libraries = without(ofAddon.filter((other) => other !== variant));
  const withOnednn = variant !== plain;
  compare(variant, fineTune(libraries), { unfit: 'expected a variant of the addon', withOnednn });
}
const onednn = files.find((file) => file.startsWith('libdnnl'));
if (best.losses && onednn) {
  compare(`where ${onednn} does not load`, fineTune(files, onednn), { withOnednn: false });
}

// A driver that crashes costs a warning: the library of a GPU back end that ends the process which loads it.
if (best.losses && process.platform === 'linux') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'llamatune-broken-'));
  const [source, library] = ['broken.c', 'libggml-vulkan.so'].map((file) =>
    path.join(folder, file),
  );
  fs.writeFileSync(
    source,
    '#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n',
  );
  const name = 'where a GPU library ends the process that loads it';
  if (spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]).status !== 0) {
    say('skipped', name, 'no C compiler');
  } else {
    const result = fineTune(
      files.filter((file) => !file.startsWith('libggml-vulkan')),
      undefined,
      library,
    );
    if (result.losses && !/without the back end vulkan: .*SIGABRT/.test(result.stderr)) {
      say('failed', name, `expected a warning but received: ${result.stderr}`);
    } else compare(name, result, {});
  }
  fs.rmSync(folder, { recursive: true });
}

console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
