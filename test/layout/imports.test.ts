import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  importsOf,
  longFiles,
  nativeViolations,
  type SourceFile,
  sourceViolations,
} from './import-rules.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const LONGEST_FILE = 400;

function filesUnder(tree: string, pattern: RegExp): SourceFile[] {
  const folder = join(root, tree);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({
      path: relative(folder, path).split(sep).join('/'),
      text: readFileSync(path, 'utf8'),
    }));
}

const native = filesUnder('native', /\.(h|cpp|c|cc|hpp|cu|mm)$/);
const source = filesUnder('src', /\.ts$/);

describe('the house', () => {
  it('native folders include only what they may', () => {
    expect(native.length).toBeGreaterThan(10);
    expect(nativeViolations(native)).toEqual([]);
  });

  it('src folders import only what they may', () => {
    expect(source.length).toBeGreaterThan(10);
    expect(sourceViolations(source)).toEqual([]);
  });

  it(`no source file has more than ${LONGEST_FILE} lines`, () => {
    const all = (['native', 'src', 'test'] as const).flatMap((tree) =>
      filesUnder(tree, /\.(h|cpp|ts|mjs)$/).map(({ path, text }) => ({
        path: `${tree}/${path}`,
        text,
      })),
    );
    expect(longFiles(all, LONGEST_FILE)).toEqual([]);
  });
});

describe('the check itself', () => {
  const nativeFile = (path: string, ...lines: string[]) =>
    nativeViolations([{ path, text: lines.join('\n') }]);
  const sourceFile = (path: string, ...lines: string[]) =>
    sourceViolations([{ path, text: lines.join('\n') }]);

  it('finds a native folder that includes another one', () => {
    expect(nativeFile('loss/x.cpp', '#pragma once', '#include "train/options.h"')).toEqual([
      'native/loss/x.cpp:2: loss must not include train/options.h',
    ]);
    expect(nativeFile('loss/x.cpp', '#include "../train/options.h"')).toHaveLength(1);
    expect(nativeFile('train/x.cpp', '#include "loss/x.h"', '#include <vector>')).toEqual([]);
  });

  it('finds headers of llama.cpp and Node-API where they do not belong', () => {
    expect(nativeFile('autodiff/engine/x.cpp', '#include "llama.h"')).toHaveLength(1);
    expect(nativeFile('optim/x.cpp', '#include "../src/llama-graph.h"')).toHaveLength(1);
    expect(nativeFile('graph/x.cpp', '#include "llama-graph.h"', '#include "ggml.h"')).toEqual([]);
    expect(nativeFile('autodiff/engine/x.cpp', '#include "ggml-backend.h"')).toEqual([]);
    expect(nativeFile('train/x.cpp', '#include <napi.h>')).toHaveLength(1);
    expect(nativeFile('binding/x.cpp', '#include <napi.h>')).toEqual([]);
  });

  it('finds a folder that has no rule', () => {
    expect(nativeFile('utils/x.cpp', '')).toHaveLength(1);
    expect(sourceFile('helpers/x.ts', '')).toHaveLength(1);
  });

  it('finds a src folder that imports another one, in every form of import', () => {
    for (const line of [
      "import { load } from '../contract/load.js';",
      "import type { Addon } from '../contract/addon.js';",
      "export * from '../contract/load.js';",
      "const addon = await import('../contract/load.js');",
      "import '../contract/load.js';",
      "import {\n  load,\n  type Addon,\n} from '../contract/load.js';",
    ]) {
      expect(sourceFile('data/x.ts', line), line).toHaveLength(1);
    }
    expect(sourceFile('data/x.ts', "import { z } from 'zod';")).toEqual([]);
    expect(sourceFile('data/x.ts', "import { a } from './y.js';")).toEqual([]);
    expect(sourceFile('data/x.ts', "import { a } from '../errors.js';")).toEqual([]);
  });

  it('lets a report import types of a run, but no values', () => {
    expect(sourceFile('report/x.ts', "import type { A } from '../bench/a.js';")).toEqual([]);
    expect(sourceFile('report/x.ts', "import { a } from '../bench/a.js';")).toHaveLength(1);
  });

  it('reads where an import stands', () => {
    expect(importsOf("\n\nimport type { A } from './a.js';")).toEqual([
      { specifier: './a.js', typeOnly: true, line: 3 },
    ]);
  });

  it('finds a long file', () => {
    expect(longFiles([{ path: 'a', text: 'x\n'.repeat(3) }], 2)).toEqual([
      'a: 3 lines, more than 2',
    ]);
    expect(longFiles([{ path: 'a', text: 'x\n'.repeat(3) }], 3)).toEqual([]);
  });
});
