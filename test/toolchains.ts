import { spawnSync } from 'node:child_process';
import type { Language } from '../src/config/verifier.js';
import { findProgram } from '../src/verify/find-program.js';

const PROGRAMS: Readonly<Record<Language, readonly string[]>> = {
  c: ['gcc', 'clang', 'cc'],
  cpp: ['g++', 'clang++', 'c++'],
  rust: ['rustc'],
  go: ['go'],
  typescript: ['node'], // typescript is a dependency of the tests
  python: ['python3', 'python'],
};

export const hasLanguage = (language: Language): boolean =>
  findProgram(PROGRAMS[language]) !== undefined;

export const hasEveryLanguage = (): boolean =>
  (Object.keys(PROGRAMS) as Language[]).every(hasLanguage);

/** Whether programs can be isolated here: on Linux, if this user may make namespaces and mount in them. */
export function canIsolate(): boolean {
  const isRoot = process.getuid?.() === 0; // which the sandbox does not map
  const args = [
    ...(isRoot ? [] : ['--map-root-user']),
    '--mount',
    '--net',
    '--pid',
    '--ipc',
    '--fork',
    'sh',
    '-c',
  ];
  return (
    process.platform === 'linux' &&
    spawnSync('unshare', [...args, 'mount -t tmpfs none /mnt']).status === 0
  );
}
