import { spawnSync } from 'node:child_process';
import type { Language } from '../src/config/verifier.js';
import { mayMakeNamespaces } from '../src/sandbox/isolated.js';
import { asUser } from '../src/sandbox/isolated-script.js';
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
  if (process.platform !== 'linux') return false;
  const isRoot = mayMakeNamespaces();
  // as the sandbox does for root without CAP_SYS_ADMIN
  const becomesUser = !isRoot && process.getuid?.() === 0;
  const [program, ...args] = [
    ...(becomesUser ? ['setpriv', ...asUser(61_184)] : []),
    ...['unshare', ...(isRoot ? [] : ['--map-root-user'])],
    ...['--mount', '--net', '--pid', '--ipc', '--fork', 'sh', '-c', 'mount -t tmpfs none /mnt'],
  ];
  return spawnSync(program!, args).status === 0;
}
