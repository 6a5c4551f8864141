/**
 * Tests the prebuilt addon: each CPU variant of ggml and of the addon is copied to a folder without the other variants,
 * fine-tunes the same model in a separate process, and must get the same losses. Only libraries of that folder may be
 * loaded. A variant is skipped if /proc/cpuinfo lacks its instruction sets, and must run otherwise. Prints
 * "N passed, N failed, N skipped".
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
const ggmlVariants = files.filter((file) => /ggml-cpu-/.test(file));
const addonVariants = files.filter((file) => /^libllamatune-(?!ggml)/.test(file));
const plain = 'libllamatune-plain.so';
const counts = { passed: 0, failed: 0, skipped: 0 };
const report = (kind, name, why = '') => {
  counts[kind]++;
  console.log(
    `${kind === 'passed' ? 'ok     ' : kind === 'failed' ? 'FAILED ' : 'skipped'} ${name}${why && `: ${why}`}`,
  );
};

/**
 * Trains with only `libraries` (`broken` replaced by an empty file) and `extra` next to the addon. Returns the losses, or
 * the problem.
 */
function fineTune(libraries, broken, extra) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'llamatune-variant-'));
  try {
    const target = path.join(folder, 'prebuilds', tuple);
    fs.mkdirSync(target, { recursive: true });
    for (const file of libraries)
      fs.copyFileSync(path.join(prebuilds, file), path.join(target, file));
    // empty instead of missing, because it may also be installed on the system
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
if (!best.losses) report('failed', 'all variants together', best.problem);
else report('passed', `all variants together (${best.losses.length} steps)`);

/** Reports whether a run had the same losses and used the right library for matrix products. */
function compare(name, { losses, accelerator, problem }, { withOnednn }) {
  if (!losses) return report('failed', name, problem.split('\n').slice(0, 8).join(' '));
  const worst = Math.max(...losses.map((loss, i) => Math.abs(loss - best.losses[i])));
  if (losses.length !== best.losses.length || !(worst < 1e-4)) {
    return report(
      'failed',
      name,
      `the losses differ from those of all variants together by ${worst}`,
    );
  }
  if (withOnednn !== undefined && withOnednn !== (accelerator !== null)) {
    return report(
      'failed',
      name,
      `it multiplies with ${accelerator} instead of ${withOnednn ? 'oneDNN' : 'ggml'}`,
    );
  }
  report('passed', name);
}

/** Instruction sets that a variant needs, by the last part of its name, as /proc/cpuinfo spells them. */
const instructions = {
  sse42: ['sse4_2'],
  sandybridge: ['avx'],
  ivybridge: ['avx', 'f16c'],
  piledriver: ['avx', 'f16c', 'fma'],
  haswell: ['avx2', 'bmi2', 'f16c', 'fma'],
  skylakex: ['avx512f', 'avx512bw'],
  cannonlake: ['avx512vbmi'],
  cascadelake: ['avx512_vnni'],
  icelake: ['avx512vbmi', 'avx512_vnni'],
  cooperlake: ['avx512_vnni', 'avx512_bf16'],
  zen4: ['avx512vbmi', 'avx512_vnni', 'avx512_bf16'],
  alderlake: ['avx_vnni'],
  sapphirerapids: ['avx512_bf16', 'amx_tile', 'amx_int8'],
  // variants of the addon
  'x86-64-v3': ['avx2'],
  'x86-64-v4': ['avx512f'],
  'x86-64-v4-bf16': ['avx512_bf16'],
};
const cpuinfo = fs.existsSync('/proc/cpuinfo') ? fs.readFileSync('/proc/cpuinfo', 'utf8') : '';
const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1].trim().split(/\s+/));
const lacking = (variant) => {
  const name = Object.keys(instructions).find((key) => variant.includes(`-${key}.`));
  return flags.size > 0 ? (instructions[name] ?? []).filter((flag) => !flags.has(flag)) : [];
};

/** Tests one variant, or skips it if the CPU lacks its instruction sets. */
function tryVariant(variant, kind, expectation) {
  const missing = lacking(variant);
  if (missing.length > 0)
    return report('skipped', variant, `this CPU has no ${missing.join(', ')}`);
  const result = fineTune(without(kind.filter((other) => other !== variant)));
  compare(variant, result, expectation);
}
for (const variant of best.losses ? ggmlVariants : []) tryVariant(variant, ggmlVariants, {});
for (const variant of best.losses ? addonVariants : []) {
  tryVariant(variant, addonVariants, { withOnednn: variant !== plain });
}
const onednn = files.find((file) => file.startsWith('libdnnl'));
if (best.losses && onednn) {
  compare(`without a loadable ${onednn}`, fineTune(files, onednn), { withOnednn: false });
}

// A library of a GPU back end that ends the process that loads it, like a broken driver, must cause a warning only.
if (best.losses && process.platform === 'linux') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'llamatune-broken-'));
  const [source, library] = ['broken.c', 'libggml-vulkan.so'].map((file) =>
    path.join(folder, file),
  );
  fs.writeFileSync(
    source,
    '#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n',
  );
  const name = 'with a GPU library that ends the process that loads it';
  if (spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]).status !== 0) {
    report('failed', name, 'the C compiler cc is missing');
  } else {
    const result = fineTune(
      files.filter((file) => !file.startsWith('libggml-vulkan')),
      undefined,
      library,
    );
    if (result.losses && !/the back end vulkan is not used: .*SIGABRT/.test(result.stderr)) {
      report('failed', name, `there is no warning: ${result.stderr}`);
    } else compare(name, result, {});
  }
  fs.rmSync(folder, { recursive: true });
}

console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
