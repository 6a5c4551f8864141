import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function sources(folder: string, extension: RegExp): string {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => extension.test(file))
    .map((file) => readFileSync(join(root, folder, file), 'utf8'))
    .join('\n');
}

const native = sources('native', /\.(cpp|h)$/);
const typescript = sources('src', /\.ts$/);

/** Quoted texts that look like error codes. */
function codesIn(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/["'`]((?:[A-Z][A-Z0-9]*_)+[A-Z][A-Z0-9]*|ABORTED|DISPOSED)["'`]/g)].map(
      ([, code]) => code as string,
    ),
  );
}

/** Codes of thrown errors and of warnings. */
function used(): Set<string> {
  const inNative = [...native.matchAll(/\b(?:error|warning_event)\s*[({]\s*"([A-Z][A-Z0-9_]+)"/g)];
  const inTypescript = [
    ...typescript.matchAll(/(?:LlamatuneError|\bwarn)\(\s*'([A-Z][A-Z0-9_]+)'/g),
  ];
  return new Set([...inNative, ...inTypescript].map(([, code]) => code as string));
}

const documented = new Set(
  [
    ...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm),
  ].map(([, code]) => code as string),
);

describe('docs/errors.md', () => {
  it('documents every code of an error or a warning', () => {
    const codes = used();
    expect(codes.size).toBeGreaterThan(40);
    expect([...codes].filter((code) => !documented.has(code))).toEqual([]);
  });

  it('documents no code that the sources do not know', () => {
    const known = codesIn(`${native}\n${typescript}`);
    known.add('UNEXPECTED');
    expect([...documented].filter((code) => !known.has(code))).toEqual([]);
  });
});
