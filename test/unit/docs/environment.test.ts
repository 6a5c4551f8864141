import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesUnder, root } from '../../layout/source-files.js';

const cpp = /\.(h|cpp)$/;
const javascript = /\.(ts|mjs)$/;

/** How each language reads a variable. */
const readers = {
  cpp: [/\bgetenv\("(\w+)"\)/g],
  // `const { NAME: _, ...rest } = process.env` reads NAME too
  javascript: [/\benv\.(\w+)/g, /\benv\['([^']+)'\]/g, /\{ (\w+): _, [^{}]*\} = process\.env/g],
  cmake: [/\$ENV\{(\w+)\}/g, /\bENV (\w+)/g],
};

const sources: Record<keyof typeof readers, string[]> = {
  cpp: ['native', 'test/native'].flatMap((folder) => textsUnder(folder, cpp)),
  javascript: [
    ...['src', 'scripts', 'tools'].flatMap((folder) => textsUnder(folder, javascript)),
    readFileSync(join(root, 'vendor', 'fetch.mjs'), 'utf8'),
  ],
  cmake: textsUnder('cmake', /\.cmake$/),
};

function textsUnder(folder: string, pattern: RegExp): string[] {
  return filesUnder(folder, pattern).map(({ text }) => text);
}

function readVariables(): string[] {
  const found = Object.entries(readers).flatMap(([language, patterns]) =>
    sources[language as keyof typeof readers].flatMap((text) =>
      patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name]) => name as string)),
    ),
  );
  return [...new Set(found)];
}

/** The names in the first column of a page's tables. */
const listedIn = (page: string): string[] =>
  [...page.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell]) =>
    [...(cell as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name as string),
  );

describe('docs/environment.md', () => {
  const page = readFileSync(join(root, 'docs', 'environment.md'), 'utf8');
  const [own = '', libraries = ''] = page.split('## Read by the libraries');

  it('lists every variable that the sources read', () => {
    const read = readVariables();
    expect(read.length).toBeGreaterThan(10);
    const listed = [...listedIn(own), ...listedIn(libraries)];
    expect(read.filter((name) => !listed.includes(name))).toEqual([]);
  });

  it('lists no variable that nothing reads, and none twice', () => {
    const read = readVariables();
    const listed = listedIn(own);
    expect(listed.filter((name) => !read.includes(name))).toEqual([]);
    expect(listed).toEqual([...new Set(listed)]);
  });
});
