import type { Language } from '../config/verifier.js';

/** What a verifier must know of a programming language; src/verify/toolchains.ts knows the tools. */
export interface LanguageInfo {
  title: string;
  /** Names after the fence of a code block. */
  fenceNames: readonly string[];
  /** Of source files. */
  extension: string;
}

export const LANGUAGES: Readonly<Record<Language, LanguageInfo>> = {
  c: { title: 'C', fenceNames: ['c'], extension: 'c' },
  cpp: { title: 'C++', fenceNames: ['cpp', 'c++', 'cxx', 'cc'], extension: 'cpp' },
  rust: { title: 'Rust', fenceNames: ['rust', 'rs'], extension: 'rs' },
  go: { title: 'Go', fenceNames: ['go', 'golang'], extension: 'go' },
  typescript: { title: 'TypeScript', fenceNames: ['typescript', 'ts'], extension: 'ts' },
  python: { title: 'Python', fenceNames: ['python', 'python3', 'py'], extension: 'py' },
};
