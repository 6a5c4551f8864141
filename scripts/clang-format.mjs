/**
 * clang-format over all C++ sources: the pinned binary of the package clang-format-node, so that every machine agrees.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { root } from './native-build.mjs';

/** Every C++ file below native/ and test/native/, relative to the root. */
const cppFiles = () =>
  ['native', 'test/native'].flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true })
      .filter((file) => /\.(h|cpp)$/.test(file))
      .map((file) => path.join(folder, file)),
  );

/** Runs clang-format with `args` on every C++ file; returns whether it succeeded. */
export function clangFormat(args) {
  const { clangFormatPath } = createRequire(import.meta.url)('clang-format-node');
  const files = cppFiles();
  let ok = true;
  // In groups of 100 files, because Windows limits the length of a command line.
  for (let i = 0; i < files.length; i += 100) {
    const command = [...args, ...files.slice(i, i + 100)];
    const { status, error } = spawnSync(clangFormatPath, command, { cwd: root, stdio: 'inherit' });
    if (error) throw error;
    ok = status === 0 && ok;
  }
  return ok;
}
