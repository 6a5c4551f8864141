// Describes the machine of a measurement: the properties that affect speed, but not its name.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { systemInfo } from '../../dist/index.js';
import { root } from '../../scripts/native-build.mjs';

/** Instruction sets that speed up matmuls, best last. */
const matmulFlags = [
  ...['asimd', 'asimddp', 'i8mm', 'bf16', 'sve', 'sve2', 'sme'],
  ...['avx', 'avx2', 'fma', 'f16c', 'avx_vnni', 'avx512f', 'avx512bw', 'avx512vl', 'avx512_vnni'],
  ...['avx512_bf16', 'avx512_fp16', 'amx_tile', 'amx_int8', 'amx_bf16'],
];

/** @param cpuinfo the text of Linux's /proc/cpuinfo */
export function flagsIn(cpuinfo) {
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? '';
  const all = new Set(line.split(/\s+/));
  return matmulFlags.filter((flag) => all.has(flag));
}

/** The kind of a machine, e.g. 'linux-x64-2cores-amx'. Measurements on machines of one kind can be compared. */
export function hostKind({ platform, cores, flags }) {
  const families = { amx_tile: 'amx', avx512f: 'avx512', avx2: 'avx2', sve: 'sve', i8mm: 'i8mm' };
  const best = Object.entries(families).find(([flag]) => flags.includes(flag))?.[1];
  return [platform, `${cores}cores`, best].filter(Boolean).join('-');
}

function distribution() {
  if (!existsSync('/etc/os-release')) return `${os.type()} ${os.release()}`;
  const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return `${name ?? 'Linux'}, kernel ${os.release().split('-')[0]}`;
}

function commit() {
  const git = (...args) => {
    const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : null;
  };
  const head = git('rev-parse', '--short=12', 'HEAD');
  const changes = git(
    'status',
    '--porcelain',
    '--untracked-files=no',
    'native',
    'src',
    'cmake',
    'vendor',
  );
  return head === null ? null : changes ? `${head} with changes` : head;
}

export function describeMachine() {
  const { llamaCpp, physicalCores, cpuAccelerator } = systemInfo();
  const cpuinfo = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: physicalCores,
    flags: flagsIn(cpuinfo),
    memoryBytes: os.totalmem(),
    platform: `${process.platform}-${process.arch}`,
    os: distribution(),
    node: process.versions.node,
    llamaCpp,
    accelerator: cpuAccelerator?.description ?? null,
    llamatune: version,
    commit: commit(),
  };
}
